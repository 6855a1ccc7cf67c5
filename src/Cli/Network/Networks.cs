// Network: where the workloads of `lateen up` live when the machine allows transparent capture. Each workload has a network namespace
// with one address; a hub namespace holds the bridge between them, and one cable leads from the hub to where the gateway runs. No
// namespace has a name in /run/netns and nothing is left in the machine's own namespace but one end of that cable: a namespace lives
// as long as a process or a descriptor refers to it, and a cable as long as both of its ends, so whatever ends `lateen up`, kill -9
// included, the kernel takes all of it away.
//
// Refused: named namespaces and a bridge beside the machine's own interfaces (somebody has to clean up after a crash).
using System.Globalization;
using System.Net;
using Lateen.Cli.Processes;

namespace Lateen.Cli.Network;

/// <summary>The workloads' network: a hub, and a namespace for each workload.</summary>
public sealed class Networks : IDisposable
{
    private readonly Spawner _spawner;
    private readonly string _log;
    private readonly int _own, _hub;
    private readonly Dictionary<int, int> _namespaces = [];

    private Networks(Spawner spawner, string log, int own, int hub, Subnet subnet) =>
        (_spawner, _log, _own, _hub, Subnet) = (spawner, log, own, hub, subnet);

    /// <summary>The addresses in use.</summary>
    public Subnet Subnet { get; }

    /// <summary>The path under which another process of this machine reaches the hub.</summary>
    public string HubPath => PathOf(_hub);

    /// <summary>Makes the hub and its cable to this machine.</summary>
    /// <exception cref="IOException">The machine does not allow it.</exception>
    public static async Task<Networks> CreateAsync(Spawner spawner, Subnet subnet, string log)
    {
        (int own, int hub) = await spawner.OnThread(() => NewNamespace()).ConfigureAwait(false);
        var networks = new Networks(spawner, log, own, hub, subnet);
        try
        {
            await networks.ConnectAsync().ConfigureAwait(false);
            return networks;
        }
        catch
        {
            networks.Dispose();
            throw;
        }
    }

    private async Task ConnectAsync()
    {
        string cable = Subnet.Cable;
        if (UserNamespace.IsInside) await IpAsync(null, "link set lo up").ConfigureAwait(false);
        await IpAsync(_hub, $"""
            link set lo up
            link add hub type bridge
            addr add {Subnet.Hub}/{Subnet.PrefixLength} dev hub
            link set hub up
            link add {cable} type veth peer name trunk
            link set trunk master hub up
            link set {cable} netns {Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}
            """).ConfigureAwait(false);
        await IpAsync(null, $"""
            addr add {Subnet.Machine}/{Subnet.PrefixLength} dev {cable}
            link set {cable} up
            """).ConfigureAwait(false);
    }

    /// <summary>Makes a workload's namespace with its address and the hub as its way out; returns a descriptor of it.</summary>
    public async Task<int> AddAsync(int number)
    {
        (int own, int space) = await _spawner.OnThread(() => NewNamespace()).ConfigureAwait(false);
        _ = Posix.close(own);
        _namespaces[number] = space;
        await IpAsync(_hub, $"""
            link add w{number} type veth peer name eth0 netns {PathOf(space)}
            link set w{number} master hub up
            """).ConfigureAwait(false);
        await IpAsync(space, $"""
            link set lo up
            addr add {Subnet.Workload(number)}/{Subnet.PrefixLength} dev eth0
            link set eth0 up
            route add default via {Subnet.Hub}
            """).ConfigureAwait(false);
        return space;
    }

    /// <summary>The path under which another process of this machine reaches the namespace behind <paramref name="descriptor"/>.</summary>
    public static string PathOf(int descriptor) => $"/proc/{Environment.ProcessId}/fd/{descriptor}";

    /// <summary>Gives up a workload's namespace; it is gone when the last process in it is.</summary>
    public void Remove(int number)
    {
        if (_namespaces.Remove(number, out int space)) _ = Posix.close(space);
    }

    public void Dispose()
    {
        foreach (int space in _namespaces.Values) _ = Posix.close(space);
        _namespaces.Clear();
        _ = Posix.close(_hub);
        _ = Posix.close(_own);
    }

    private async Task IpAsync(int? space, string commands)
    {
        int code = await _spawner.RunAsync(new ProcessSpec
        {
            Program = "ip",
            Arguments = ["-batch", "-"],
            Input = commands,
            Network = space,
            Log = _log,
        }).ConfigureAwait(false);
        if (code != 0) throw new IOException($"the network of the workloads cannot be made: ip ended with code {code}, see {_log}");
    }

    // On the forking thread alone: a namespace belongs to a thread, and this one is given back its own at once.
    private static (int Own, int New) NewNamespace()
    {
        int own = Posix.Open("/proc/thread-self/ns/net", Posix.ReadOnly);
        Posix.EnterNewNetwork();
        try
        {
            return (own, Posix.Open("/proc/thread-self/ns/net", Posix.ReadOnly));
        }
        finally
        {
            Posix.EnterNetwork(own);
        }
    }
}
