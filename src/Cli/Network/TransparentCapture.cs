using Lateen.Agent.Capture;
using Lateen.Cli.Processes;

namespace Lateen.Cli.Network;

/// <summary>A network namespace for each workload, with rules that lead its connections and its DNS queries to its sidecar. The program
/// needs no change.</summary>
public sealed class TransparentCapture : ICapture
{
    /// <summary>The group of sidecars: what runs as it is not captured.</summary>
    public const uint SidecarGroup = 1337;

    // Within a user namespace there is one group only: a sidecar's packets carry a mark instead.
    private const string Mark = "1337";

    private const int AttemptsMax = 5;

    private static readonly Dictionary<string, string> Nothing = [];
    private readonly Spawner _spawner;
    private readonly Networks _networks;
    private readonly string _log;

    private TransparentCapture(Spawner spawner, Networks networks, string log) => (_spawner, _networks, _log) = (spawner, networks, log);

    public string Description => UserNamespace.IsInside
        ? $"transparent (user namespaces: a network and an address for each workload, redirected by {Tool}, names answered by the "
            + $"sidecar; nothing outside of the mesh can be reached)"
        : $"transparent (a network namespace and an address for each workload, redirected by {Tool}, names answered by the sidecar)";

    public Subnet Subnet => _networks.Subnet;

    public Placement Gateway => new(Subnet.Machine, null, null, Nothing, Nothing);

    /// <summary>Why this machine does not allow it, or null where it seems to.</summary>
    public static string? Obstacle()
    {
        if (!OperatingSystem.IsLinux()) return "it needs Linux";
        if (!Has("ip")) return "the program ip is not installed";
        return Has("iptables-restore") || Has("nft") ? null : "neither iptables nor nft is installed";
    }

    /// <summary>The firewall's program: iptables, as Istio has it, and nftables where that is missing or LATEEN_FIREWALL=nft asks for
    /// it.</summary>
    public static bool UsesNft => Environment.GetEnvironmentVariable("LATEEN_FIREWALL") == "nft" || !Has("iptables-restore");

    private static string Tool => UsesNft ? "nftables" : "iptables";

    private static bool Has(string tool)
    {
        try
        {
            Spawner.Find(tool, null);
            return true;
        }
        catch (PosixException)
        {
            return false;
        }
    }

    /// <summary>Makes the network.</summary>
    /// <exception cref="IOException">The machine refuses, whatever <see cref="Obstacle"/> hoped.</exception>
    public static async Task<TransparentCapture> CreateAsync(Spawner spawner, string log)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return new(spawner, await Networks.CreateAsync(spawner, Subnet.Free(loopback: false), log).ConfigureAwait(false), log);
            }
            catch (IOException) when (attempt < AttemptsMax)
            {
                // Another mesh of this machine may have taken the same addresses in this moment; now it shows that they are taken.
            }
        }
    }

    public async Task<Placement> PlaceAsync(int number, IReadOnlyList<int> ports)
    {
        int network = await _networks.AddAsync(number).ConfigureAwait(false);
        RuleSet rules = SidecarRules.Build(new CaptureOptions
        {
            InboundPortsInclude = "*",
            InboundPortsExclude = "15090,15021,15020",
            OutboundIPRangesInclude = "*",
            RedirectDns = true,
            CaptureAllDns = true,
            ProxyMark = UserNamespace.IsInside ? Mark : "",
        }).V4;
        var load = UsesNft
            ? new ProcessSpec
            {
                Program = "nft",
                Arguments = ["-f", "-"],
                Input = NftText.Of(rules, v6: false),
                Network = network,
                Log = _log,
            }
            : new ProcessSpec
            {
                Program = "iptables-restore",
                Arguments = ["--noflush"],
                Input = rules.ToRestoreText(),
                Network = network,
                Log = _log,
            };
        int code = await _spawner.RunAsync(load).ConfigureAwait(false);
        if (code != 0) throw new IOException($"the capture rules cannot be loaded: {load.Program} ended with code {code}, see {_log}");
        return UserNamespace.IsInside
            ? new Placement(Subnet.Workload(number), network, null, new Dictionary<string, string> { ["LATEEN_MARK"] = Mark }, Nothing)
            : new Placement(Subnet.Workload(number), network, SidecarGroup, Nothing, Nothing);
    }

    public void Remove(int number) => _networks.Remove(number);

    public void Dispose() => _networks.Dispose();
}
