using System.Globalization;
using System.Net;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Istio.Security;
using Istio.Security.V1Beta1;
using Lateen.Pilot.Meaning;
using Action = Istio.Security.Action;
using Authorization = Istio.Security.Authorization;
using Reach = Istio.Security.Scope;

namespace Lateen.Pilot.Generation.Security;

/// <summary>
/// Policies as a node's tunnel proxy (ztunnel) enforces them: it sees connections, not requests. What speaks of requests is left out in the direction that admits less: a rule of an
/// ALLOW policy goes as a whole, of a DENY policy the attribute goes and the rest of the rule holds.
/// </summary>
public static class TunnelPolicies
{
    private static readonly string[] OfConnections = ["source.ip", "source.namespace", "source.principal", "destination.ip", "destination.port"];

    /// <summary>An AuthorizationPolicy; null where it is not for tunnels: it names a target, or has an action that they do not know.</summary>
    public static Authorization? Of(string name, string ns, AuthorizationPolicy policy, string rootNamespace)
    {
        if (policy.Action is not (AuthorizationPolicy.Types.Action.Allow or AuthorizationPolicy.Types.Action.Deny)) return null;
        if (WorkloadPolicies.Refs(policy.TargetRef, policy.TargetRefs).Count > 0) return null;
        var made = new Authorization
        {
            Name = name,
            Namespace = ns,
            Scope = policy.Selector is not null ? Reach.WorkloadSelector : ns == rootNamespace ? Reach.Global : Reach.Namespace,
            Action = policy.Action == AuthorizationPolicy.Types.Action.Deny ? Action.Deny : Action.Allow,
        };
        foreach (Rule rule in policy.Rules)
        {
            if (made.Action == Action.Allow && IsOfRequests(rule)) continue;
            made.Groups.Add(new Group { Rules = { Clauses(rule, ns) } });
        }
        return made;
    }

    /// <summary>
    /// A PeerAuthentication of a workload that treats ports differently; null where the mode alone says it all, which a workload is told by a flag. What does not show an identity is
    /// denied: on each strict port, or everywhere but on the ports that are exempt.
    /// </summary>
    /// <param name="name">Its name.</param>
    /// <param name="ns">Its namespace.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="inherited">What its namespace or the mesh says.</param>
    /// <param name="rootNamespace">There a selector means nothing.</param>
    public static Authorization? Of(string name, string ns, PeerAuthentication policy, MtlsMode inherited, string rootNamespace)
    {
        if (ns == rootNamespace || policy.Selector is null || policy.PortLevelMtls.Count == 0) return null;
        MtlsMode own = PeerAuthenticationRules.Of(policy.Mtls, MtlsMode.Unknown), effective = own == MtlsMode.Unknown ? inherited : own;
        var ports = policy.PortLevelMtls.OrderBy(port => port.Key).Select(port => (Number: port.Key, Mode: PeerAuthenticationRules.Of(port.Value, MtlsMode.Unknown))).ToArray();
        var made = new Authorization { Name = "converted_peer_authentication_" + name, Namespace = ns, Scope = Reach.WorkloadSelector, Action = Action.Deny };
        if (effective != MtlsMode.Strict)
        {
            made.Groups.AddRange(ports.Where(port => port.Mode == MtlsMode.Strict).Select(port => new Group { Rules = { Clause(new Match { NotPrincipals = { Anyone() }, DestinationPorts = { port.Number } }) } }));
            return made.Groups.Count > 0 ? made : null;
        }
        var exempt = ports.Where(port => port.Mode is MtlsMode.Permissive or MtlsMode.Disable).ToArray();
        if (exempt.Length == 0) return null;
        var group = new Group();
        if (own == MtlsMode.Strict) group.Rules.Add(Clause(new Match { NotPrincipals = { Anyone() } }));
        group.Rules.AddRange(exempt.Select(port => Clause(new Match { NotDestinationPorts = { port.Number } })));
        if (inherited == MtlsMode.Strict) group.Rules.Add(Clause(new Match { NotPrincipals = { Anyone() } }));
        made.Groups.Add(group);
        return made;
    }

    private static IEnumerable<Rules> Clauses(Rule rule, string ns)
    {
        if (rule.To.Count > 0) yield return new Rules { Matches = { rule.To.Select(to => Of(to.Operation ?? new())) } };
        if (rule.From.Count > 0) yield return new Rules { Matches = { rule.From.Select(from => Of(from.Source ?? new(), ns)) } };
        foreach (Condition condition in rule.When) yield return Clause(Of(condition));
    }

    private static bool IsOfRequests(Rule rule) =>
        rule.To.Any(to => to.Operation is { } o && o.Hosts.Count + o.NotHosts.Count + o.Methods.Count + o.NotMethods.Count + o.Paths.Count + o.NotPaths.Count > 0)
        || rule.From.Any(from => from.Source is { } s && s.RemoteIpBlocks.Count + s.NotRemoteIpBlocks.Count + s.RequestPrincipals.Count + s.NotRequestPrincipals.Count + s.TrustDomains.Count + s.NotTrustDomains.Count > 0)
        || rule.When.Any(condition => !OfConnections.Contains(condition.Key));

    private static Match Of(Operation operation) => new() { DestinationPorts = { Ports(operation.Ports) }, NotDestinationPorts = { Ports(operation.NotPorts) } };

    private static Match Of(Source source, string ns) => new()
    {
        SourceIps = { Blocks(source.IpBlocks) },
        NotSourceIps = { Blocks(source.NotIpBlocks) },
        Namespaces = { Texts(source.Namespaces) },
        NotNamespaces = { Texts(source.NotNamespaces) },
        ServiceAccounts = { Accounts(source.ServiceAccounts, ns) },
        NotServiceAccounts = { Accounts(source.NotServiceAccounts, ns) },
        Principals = { Texts(source.Principals) },
        NotPrincipals = { Texts(source.NotPrincipals) },
    };

    private static Match Of(Condition condition) => condition.Key switch
    {
        "source.ip" => new() { SourceIps = { Blocks(condition.Values) }, NotSourceIps = { Blocks(condition.NotValues) } },
        "source.namespace" => new() { Namespaces = { Texts(condition.Values) }, NotNamespaces = { Texts(condition.NotValues) } },
        "source.principal" => new() { Principals = { Texts(condition.Values) }, NotPrincipals = { Texts(condition.NotValues) } },
        "destination.ip" => new() { DestinationIps = { Blocks(condition.Values) }, NotDestinationIps = { Blocks(condition.NotValues) } },
        "destination.port" => new() { DestinationPorts = { Ports(condition.Values) }, NotDestinationPorts = { Ports(condition.NotValues) } },
        // A tunnel takes a match without content for one that matches nothing.
        _ => new(),
    };

    private static Rules Clause(Match match) => new() { Matches = { match } };

    private static StringMatch Anyone() => new() { Presence = new Empty() };

    private static IEnumerable<StringMatch> Texts(IEnumerable<string> patterns) => patterns.Select(pattern => pattern switch
    {
        "*" => Anyone(),
        ['*', .. var suffix] => new StringMatch { Suffix = suffix },
        [.. var prefix, '*'] => new StringMatch { Prefix = prefix },
        _ => new StringMatch { Exact = pattern },
    });

    private static IEnumerable<ServiceAccountMatch> Accounts(IEnumerable<string> accounts, string ns) => accounts.Select(account =>
    {
        string[] parts = account.Split('/', 2);
        return parts.Length == 2 ? new ServiceAccountMatch { Namespace = parts[0], ServiceAccount = parts[1] } : new ServiceAccountMatch { Namespace = ns, ServiceAccount = account };
    });

    private static IEnumerable<uint> Ports(IEnumerable<string> ports) =>
        ports.Select(port => (IsPort: ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number), number)).Where(port => port.IsPort).Select(port => (uint)port.number);

    private static IEnumerable<Address> Blocks(IEnumerable<string> blocks)
    {
        foreach (string block in blocks)
        {
            string[] parts = block.Split('/', 2);
            if (!IPAddress.TryParse(parts[0], out IPAddress? address)) continue;
            byte[] bytes = address.GetAddressBytes();
            uint length = (uint)bytes.Length * 8;
            if (parts.Length == 2 && (!uint.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint said) || said > length)) continue;
            yield return new Address { Address_ = ByteString.CopyFrom(bytes), Length = parts.Length == 2 ? uint.Parse(parts[1], CultureInfo.InvariantCulture) : length };
        }
    }
}
