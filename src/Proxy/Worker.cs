using Lateen.Proxy.Net;

namespace Lateen.Proxy;

/// <summary>One thread's share of the proxy: a loop and everything that belongs to it. Nothing in here is seen by another thread.</summary>
/// <param name="Index">0 for the first.</param>
/// <param name="Loop">Its loop.</param>
public sealed record Worker(int Index, EventLoop Loop);
