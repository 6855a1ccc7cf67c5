using System.Runtime.InteropServices;
using Lateen.Agent.Bootstrap;
using Lateen.Agent.Loopback;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Proxy.Server;

namespace Lateen.Agent;

/// <summary>The proxy inside this process: starts it with its bootstrap, ends it on SIGTERM or when asked.</summary>
internal sealed class ProxyHost : IDisposable
{
    // As Istio's agent starts Envoy: --drain-time-s 45 --drain-strategy immediate.
    private static readonly DrainPace Drain = new(45_000_000, Gradual: false);

    private readonly ManualResetEventSlim _ended = new();
    private readonly PosixSignalRegistration _terminate, _interrupt;
    private readonly ProxyServer _server;

    /// <exception cref="BootstrapException">The bootstrap can't be served.</exception>
    public ProxyHost(AgentOptions options)
    {
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        Ground ground = LoopbackMap.Of(options) is { } map
            ? new LoopbackGround(map, OnDefect)
            : new ThreadGround(options.Concurrency > 0 ? options.Concurrency : Environment.ProcessorCount, seed: 0, OnDefect,
                (uint)options.Mark);
        var inputs = new ProxyInputs
        {
            Bootstrap = BootstrapText.Compose(options),
            BootstrapFile = AgentProcess.BootstrapFile,
            DrainPace = Drain,
            HandsOver = true,
            Memory = Lateen.Proxy.Server.Pressure.MemoryRoom.OfContainer(),
            LogFlushMicros = 1_000_000,
            Say = Say,
        };
        _server = new ProxyServer(inputs, ground) { Live = TellReady, Quit = Stop };
    }

    /// <summary>The proxy's loop for everything but traffic.</summary>
    public EventLoop Main => _server.Main;

    /// <summary>True once the first configuration has come and every listener is bound.</summary>
    public bool IsLive { get; private set; }

    public void Start() => _server.Start();

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
        _server.Dispose();
        _ended.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        Stop();
    }

    private void TellReady()
    {
        IsLive = true;
        File.WriteAllText(AgentProcess.ReadyFile, "");
        StartMemory.GiveBackLater();
    }

    private static void OnDefect(Exception defect) => Say($"defect: {defect}");

    private static void Say(string line) => Console.Error.WriteLine(line);
}
