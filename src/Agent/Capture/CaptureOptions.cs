// Capture: the rules of a workload's network that lead its traffic to the sidecar. Built as text for iptables-restore, so that a family's
// rules come into force at once or not at all, and so that what would be done can be read and compared without doing it. The rules, their
// order and their spelling are Istio's (`istio-iptables`), because operators know them by heart and tools look for them. Whoever owns the
// namespace applies them: `lateen up` does, for the namespaces it makes; an init container does in a pod.
namespace Lateen.Agent.Capture;

/// <summary>What is captured and what is left alone; the names and defaults of `istio-iptables`.</summary>
public sealed record CaptureOptions
{
    /// <summary>-p: where outbound connections go.</summary>
    public string ProxyPort { get; init; } = "15001";

    /// <summary>-z: where inbound connections go.</summary>
    public string InboundCapturePort { get; init; } = "15006";

    /// <summary>--inbound-tunnel-port: HBONE, which reaches the proxy as it is.</summary>
    public string InboundTunnelPort { get; init; } = "15008";

    /// <summary>-u: users whose traffic is the proxy's, separated by commas.</summary>
    public string ProxyUid { get; init; } = "1337";

    /// <summary>-g: groups whose traffic is the proxy's, separated by commas.</summary>
    public string ProxyGid { get; init; } = "1337";

    /// <summary>The mark that tells the proxy's packets where users and groups cannot; empty for none. It takes the place of
    /// <see cref="ProxyUid"/> and <see cref="ProxyGid"/>. No option of Istio's.</summary>
    public string ProxyMark { get; init; } = "";

    /// <summary>-m: REDIRECT or TPROXY.</summary>
    public string InboundInterceptionMode { get; init; } = "REDIRECT";

    /// <summary>-t: the mark of packets given to the transparent socket.</summary>
    public string InboundTProxyMark { get; init; } = "1337";

    /// <summary>-b: inbound ports captured; `*` for all.</summary>
    public string InboundPortsInclude { get; init; } = "";

    /// <summary>-d: inbound ports left alone.</summary>
    public string InboundPortsExclude { get; init; } = "";

    /// <summary>-q: outbound ports captured whatever their address.</summary>
    public string OutboundPortsInclude { get; init; } = "";

    /// <summary>-o: outbound ports left alone.</summary>
    public string OutboundPortsExclude { get; init; } = "";

    /// <summary>-i: destinations captured; `*` for all.</summary>
    public string OutboundIPRangesInclude { get; init; } = "";

    /// <summary>-x: destinations left alone.</summary>
    public string OutboundIPRangesExclude { get; init; } = "";

    /// <summary>Groups whose processes alone are captured; `*` for all.</summary>
    public string OwnerGroupsInclude { get; init; } = "*";

    /// <summary>Groups whose processes are left alone.</summary>
    public string OwnerGroupsExclude { get; init; } = "";

    /// <summary>-k: interfaces behind which others (virtual machines, containers) send; theirs is outbound traffic.</summary>
    public string RerouteVirtualInterfaces { get; init; } = "";

    /// <summary>-c: interfaces left alone.</summary>
    public string ExcludeInterfaces { get; init; } = "";

    /// <summary>--redirect-dns: queries to the resolvers below go to the agent.</summary>
    public bool RedirectDns { get; init; }

    /// <summary>--capture-all-dns: queries to any resolver do.</summary>
    public bool CaptureAllDns { get; init; }

    /// <summary>The machine's resolvers with IPv4 addresses.</summary>
    public IReadOnlyList<string> DnsServersV4 { get; init; } = [];

    /// <summary>The machine's resolvers with IPv6 addresses.</summary>
    public IReadOnlyList<string> DnsServersV6 { get; init; } = [];

    /// <summary>--drop-invalid: packets outside any known connection are dropped rather than answered with a reset.</summary>
    public bool DropInvalid { get; init; }

    /// <summary>Rules for IPv6, too.</summary>
    public bool EnableIPv6 { get; init; }

    /// <summary>What counts as loopback of IPv4.</summary>
    public string HostIPv4LoopbackCidr { get; init; } = "127.0.0.1/32";
}
