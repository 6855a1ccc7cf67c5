using Lateen.Proxy;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Tcp;
using Lateen.Proxy.Upstream;
using Lateen.Test.Unit.Proxy.Net;

namespace Lateen.Test.Unit.Proxy.Tcp;

/// <summary>A client's host, a proxy's with one worker, and a server's that keeps what it hears, on an in-memory network; the proxy knows
/// the server as a cluster.</summary>
internal sealed class TcpRig
{
    public static readonly Address ProxyAt = Address.V4(2, 15001), BackendAt = Address.V4(3, 9000);

    public TcpRig(string cluster = "backend")
    {
        Client = Network.AddHost("client", Address.V4(1, 0)).AddLoop();
        Proxy = Network.AddHost("proxy", Address.V4(2, 0)).AddLoop();
        Backend = Network.AddHost("backend", Address.V4(3, 0)).AddLoop();
        Backend.Listen(new ListenOptions(BackendAt), Backends);
        Worker = new Worker(0, Proxy);
        Directory = new ClusterDirectory(Proxy, 1);
        Upstreams = new Upstreams(Directory, [Worker]);
        Directory.Publish(Cluster(cluster), At(BackendAt));
        Options = new TcpOptions { StatPrefix = "test", Targets = [new TcpTarget(Directory.Handle(cluster), 1)], Counters = new TcpCounters(1) };
    }

    public MemoryNetwork Network { get; } = new(5);

    public MemoryLoop Client { get; }

    public MemoryLoop Proxy { get; }

    public MemoryLoop Backend { get; }

    /// <summary>The server's ends of its connections.</summary>
    public ProbeAcceptor Backends { get; } = new(() => new Probe { KeepOpenAtEnd = true });

    public Worker Worker { get; }

    public ClusterDirectory Directory { get; }

    public Upstreams Upstreams { get; }

    /// <summary>A TCP proxy to the server.</summary>
    public TcpOptions Options { get; }

    public static Cluster Cluster(string name) => new() { Name = name, StatName = name, ConnectTimeoutMicros = 1_000_000 };

    public static EndpointSet At(params Address[] addresses) =>
        new() { Localities = [LocalityEndpoints.Of([.. addresses.Select(a => new Endpoint { Address = a })])] };

    /// <summary>Serves connections by these filters and the proxy.</summary>
    public void Serve(params NetworkFilterFactory[] filters) => new ListenerSet(Worker).Put(new Listener
    {
        Name = "tcp",
        Address = ProxyAt,
        Chains = new ChainTable([],
            new ListenerChain { Name = "chain", Handler = new TcpChainHandler(Upstreams, Options, filters, 1) }),
    });
}
