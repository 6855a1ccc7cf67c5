using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Epoll;
using Lateen.Proxy.Server;

namespace Lateen.Agent.Loopback;

/// <summary>Threads over epoll, with sockets where a <see cref="LoopbackMap"/> says. One worker: a workload on a developer's machine needs
/// no more.</summary>
internal sealed class LoopbackGround : Ground, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private readonly LoopbackMap _map;
    private readonly LoopbackLoop _main, _worker;
    private readonly List<Thread> _threads = [];

    public LoopbackGround(LoopbackMap map, Action<Exception> onDefect)
    {
        _map = map;
        ulong seed = BitConverter.ToUInt64(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8));
        _main = new LoopbackLoop(new EpollLoop(new EpollLoopOptions { Name = "main", Seed = seed, OnDefect = onDefect }), map);
        _worker = new LoopbackLoop(new EpollLoop(new EpollLoopOptions { Name = "worker-0", Seed = seed + 1, OnDefect = onDefect }), map);
    }

    public override Address OwnAddress => _map.Own.Kind == AddressKind.V4 ? _map.Own : Address.V4(0x7f000001, 0);

    public override EventLoop Main => _main;

    public override IReadOnlyList<EventLoop> Workers => [_worker];

    public override void Start()
    {
        _threads.Add(_main.Inner.Start());
        _threads.Add(_worker.Inner.Start());
    }

    public override void Stop()
    {
        _worker.Inner.Stop();
        _main.Inner.Stop();
        foreach (Thread thread in _threads) thread.Join(Patience);
    }

    public void Dispose()
    {
        _worker.Inner.Dispose();
        _main.Inner.Dispose();
    }
}
