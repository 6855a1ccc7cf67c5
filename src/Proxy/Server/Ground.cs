// Server: the proxy put together: main loop, workers, listeners on all of them, admin pages, life from start to drain. It is plain wiring,
// read top to bottom in ProxyServer; what it wires lives elsewhere. The main loop takes configuration, resolves names, checks health and
// answers admin requests; workers do nothing but traffic. It knows no protobuf: the bootstrap comes as text and is translated in Xds/.
// Refused: a container for dependencies; statics.
using System.Net.NetworkInformation;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Epoll;
using Lateen.Proxy.Net.Memory;

namespace Lateen.Proxy.Server;

/// <summary>What a proxy stands on: threads over real sockets, or the in-memory network.</summary>
public abstract class Ground
{
    /// <summary>The loop for everything but traffic.</summary>
    public abstract EventLoop Main { get; }

    /// <summary>The workers' loops.</summary>
    public abstract IReadOnlyList<EventLoop> Workers { get; }

    /// <summary>The host's own address on its network, which stands in x-forwarded-for in place of a loopback peer's; kind None where it
    /// has none.</summary>
    public abstract Address OwnAddress { get; }

    /// <summary>Lets the loops run.</summary>
    public abstract void Start();

    /// <summary>Stops them; the caller waits for their threads.</summary>
    public abstract void Stop();
}

/// <summary>One thread a loop, over epoll.</summary>
public sealed class ThreadGround : Ground, IDisposable
{
    private readonly EpollLoop _main;
    private readonly EpollLoop[] _workers;
    private readonly List<Thread> _threads = [];

    /// <summary>A main loop and some workers.</summary>
    /// <param name="workers">How many workers.</param>
    /// <param name="seed">The seed of chance; 0 takes one from the system.</param>
    /// <param name="onDefect">Hears of broken invariants.</param>
    /// <param name="mark">SO_MARK of every connection that is made without one of its own; 0 for none.</param>
    public ThreadGround(int workers, ulong seed, Action<Exception> onDefect, uint mark = 0)
    {
        ulong start = seed != 0 ? seed : BitConverter.ToUInt64(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8));
        _main = new EpollLoop(new EpollLoopOptions { Name = "main", Seed = start, OnDefect = onDefect, Mark = mark });
        _workers = [.. Enumerable.Range(0, workers)
            .Select(i => new EpollLoop(
                new EpollLoopOptions { Name = $"worker-{i}", Seed = start + 1 + (ulong)i, OnDefect = onDefect, Mark = mark }))];
    }

    /// <inheritdoc/>
    public override EventLoop Main => _main;

    /// <inheritdoc/>
    public override IReadOnlyList<EventLoop> Workers => _workers;

    /// <inheritdoc/>
    public override Address OwnAddress { get; } = FirstOwn();

    /// <summary>Listening sockets of a process before this one are taken over when their addresses are listened on; before
    /// <see cref="Start"/>.</summary>
    internal void Inherit(IEnumerable<HotRestart.HandedSocket> sockets)
    {
        foreach (HotRestart.HandedSocket socket in sockets)
        {
            EpollLoop loop = socket.Worker < 0 ? _main : _workers[socket.Worker % _workers.Length];
            if (!loop.Inherited.TryGetValue(socket.Address, out List<int>? list))
                loop.Inherited[socket.Address] = list = [];
            list.Add(socket.Descriptor);
        }
    }

    /// <summary>All listening sockets.</summary>
    internal List<HotRestart.HandedSocket> ListeningSockets() =>
    [
        .. _main.Listening.Select(l => new HotRestart.HandedSocket(-1, l.Value, l.Key.Descriptor)),
        .. _workers.SelectMany((w, i) => w.Listening.Select(l => new HotRestart.HandedSocket(i, l.Value, l.Key.Descriptor))),
    ];

    private static Address FirstOwn()
    {
        foreach (NetworkInterface link in NetworkInterface.GetAllNetworkInterfaces())
        {
            if (link.OperationalStatus != OperationalStatus.Up || link.NetworkInterfaceType == NetworkInterfaceType.Loopback)
                continue;
            foreach (UnicastIPAddressInformation own in link.GetIPProperties().UnicastAddresses)
            {
                if (own.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork)
                    return Address.From(own.Address, 0);
            }
        }
        return default;
    }

    /// <inheritdoc/>
    public override void Start()
    {
        _threads.Add(_main.Start());
        foreach (EpollLoop worker in _workers)
            _threads.Add(worker.Start());
    }

    /// <inheritdoc/>
    public override void Stop()
    {
        foreach (EpollLoop worker in _workers)
            worker.Stop();
        _main.Stop();
        foreach (Thread thread in _threads)
            thread.Join(TimeSpan.FromSeconds(5));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (EpollLoop worker in _workers)
            worker.Dispose();
        _main.Dispose();
    }
}

/// <summary>Loops of one host of the in-memory network; whoever drives the network drives them.</summary>
public sealed class MemoryGround : Ground
{
    private readonly MemoryLoop _main;
    private readonly MemoryLoop[] _workers;

    /// <summary>A main loop and some workers on a host.</summary>
    public MemoryGround(MemoryHost host, int workers = 1)
    {
        _main = host.AddLoop("main");
        _workers = [.. Enumerable.Range(0, workers).Select(i => host.AddLoop($"worker-{i}"))];
    }

    /// <inheritdoc/>
    public override EventLoop Main => _main;

    /// <inheritdoc/>
    public override IReadOnlyList<EventLoop> Workers => _workers;

    /// <inheritdoc/>
    public override Address OwnAddress => _main.Host.Ip;

    /// <inheritdoc/>
    public override void Start()
    {
    }

    /// <inheritdoc/>
    public override void Stop()
    {
        _main.Kill();
        foreach (MemoryLoop worker in _workers)
            worker.Kill();
    }
}
