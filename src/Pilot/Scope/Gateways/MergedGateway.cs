using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Meaning;

namespace Lateen.Pilot.Scope.Gateways;

/// <summary>The servers of all Gateways that select one proxy, merged by port.</summary>
public sealed class MergedGateway
{
    /// <summary>Ports in the order in which their first server was seen.</summary>
    public required ImmutableArray<GatewayPort> Ports { get; init; }

    /// <summary>HTTP servers by route name (<c>http.80</c>, <c>https.443.name.gateway.namespace</c>).</summary>
    public required FrozenDictionary<string, ImmutableArray<GatewayServer>> ByRouteName { get; init; }

    /// <summary>Some server passes SNI-DNAT clusters through.</summary>
    public required bool HasAutoPassthrough { get; init; }

    /// <summary>Credentials of its servers that the proxy may be given: of the Gateway's own namespace, which must be the proxy's, or
    /// granted to it.</summary>
    public required FrozenSet<string> Credentials { get; init; }

    /// <summary>Servers that are not served, since an older one has their place.</summary>
    public ImmutableArray<ServerConflict> Conflicts { get; init; } = [];

    /// <summary>Workload port to Gateway ports, for services that map one to another.</summary>
    public required FrozenDictionary<int, ImmutableArray<int>> PortsByTarget { get; init; }
}

/// <summary>A server that another has left no place.</summary>
/// <param name="Winner">The one that is served.</param>
/// <param name="Loser">The one that is not.</param>
/// <param name="Reason">What the winner has, for a person: continues "since".</param>
public sealed record ServerConflict(GatewayServer Winner, GatewayServer Loser, string Reason);

/// <summary>One port and bind address of a gateway.</summary>
/// <param name="Number">Port to listen on: of the workload, where a service maps the Gateway's port.</param>
/// <param name="Bind">Address or unix path; empty for all addresses.</param>
/// <param name="Protocol">Protocol of the first server: what later ones must agree with.</param>
/// <param name="Servers">Servers, of older Gateways first.</param>
public sealed record GatewayPort(int Number, string Bind, Registry.Protocol Protocol, ImmutableArray<GatewayServer> Servers);

/// <summary>One server of a Gateway as it is served.</summary>
/// <param name="Gateway">Its Gateway.</param>
/// <param name="Server">As declared.</param>
/// <param name="Hosts">Its hosts with the namespace part resolved: (namespace or <c>*</c>, host).</param>
/// <param name="Number">Port it is served on.</param>
/// <param name="RouteName">Route configuration; empty for servers that are not HTTP.</param>
/// <param name="SniHosts">SNI hosts of its filter chain; empty for plaintext.</param>
public sealed record GatewayServer(
    Meant<Gateway> Gateway,
    Server Server,
    ImmutableArray<(string Namespace, string Host)> Hosts,
    int Number,
    string RouteName,
    ImmutableArray<string> SniHosts)
{
    /// <summary>Also served over QUIC on the same port.</summary>
    public bool OffersHttp3 { get; init; }

    /// <summary><c>namespace/name</c> of the Gateway, as VirtualServices name it.</summary>
    public string GatewayName => Gateway.Origin.FullName;

    /// <summary>Its place among the servers of its Gateway. Two may say the same: it is the object that is looked for.</summary>
    public int Index => Enumerable.Range(0, Gateway.Spec.Servers.Count).First(i => ReferenceEquals(Gateway.Spec.Servers[i], Server));
}
