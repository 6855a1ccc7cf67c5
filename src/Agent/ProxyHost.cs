using System.Runtime.InteropServices;

namespace Lateen.Agent;

/// <summary>The proxy inside this process: starts it with its bootstrap, ends it on SIGTERM or when asked.</summary>
internal sealed class ProxyHost : IDisposable
{
    private readonly ManualResetEventSlim _ended = new();
    private readonly PosixSignalRegistration _terminate, _interrupt;

    public ProxyHost(AgentOptions options, string bootstrap)
    {
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
    }

    public void Start()
    {
    }

    /// <summary>Ends the process with code 0.</summary>
    public void Stop() => _ended.Set();

    /// <summary>Blocks until the proxy has ended.</summary>
    public int AwaitEnd()
    {
        _ended.Wait();
        return 0;
    }

    public void Dispose()
    {
        _terminate.Dispose();
        _interrupt.Dispose();
        _ended.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        Stop();
    }
}
