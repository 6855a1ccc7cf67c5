using System.Globalization;
using System.Net;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Istio.Security;
using Istio.Security.V1Beta1;
using Lateen.Pilot.Meaning;
using Authorization = Istio.Security.Authorization;
using NodeAction = Istio.Security.Action;
using NodeScope = Istio.Security.Scope;
using PolicyAction = Istio.Security.V1Beta1.AuthorizationPolicy.Types.Action;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>AuthorizationPolicies as node proxies get them: groups of which one must hold, of rules that must all hold, of matches of which
/// one must hold.</summary>
internal static class NodePolicies
{
    private const int PortMax = 65535;

    /// <summary>The policy; null where it is none for node proxies.</summary>
    public static Authorization? Of(AuthorizationPolicy policy, string ns, string name, string rootNamespace)
    {
        // What names a target is for the waypoint in front of it.
        if (policy.TargetRef is not null || policy.TargetRefs.Count > 0 || policy.Action is not (PolicyAction.Allow or PolicyAction.Deny))
            return null;
        var made = new Authorization
        {
            Name = name,
            Namespace = ns,
            Scope = policy.Selector is not null ? NodeScope.WorkloadSelector : ns == rootNamespace ? NodeScope.Global : NodeScope.Namespace,
            Action = policy.Action == PolicyAction.Deny ? NodeAction.Deny : NodeAction.Allow,
        };
        made.Groups.Add(policy.Rules.Select(rule => Group(rule ?? new Rule(), ns, policy.Action)).OfType<Group>());
        return made;
    }

    // A rule that lets in and asks for more than a node proxy sees must let nobody in. One that refuses does so by what is left: a match of
    // which nothing is left never holds there.
    private static Group? Group(Rule rule, string ns, PolicyAction action)
    {
        if (action == PolicyAction.Allow && NodePolicyLimits.Of(new AuthorizationPolicy { Rules = { rule } }).Unsupported.Count > 0)
            return null;
        var group = new Group();
        if (rule.To.Count > 0)
            group.Rules.Add(new Rules { Matches = { rule.To.Select(static to => OfOperation(to.Operation ?? new Operation())) } });
        if (rule.From.Count > 0)
            group.Rules.Add(new Rules { Matches = { rule.From.Select(from => OfSource(from.Source ?? new Source(), ns)) } });
        group.Rules.Add(rule.When.Select(when => new Rules { Matches = { OfCondition(when, ns) } }));
        return group;
    }

    private static Match OfOperation(Operation operation) => new()
    {
        DestinationPorts = { Ports(operation.Ports) },
        NotDestinationPorts = { Ports(operation.NotPorts) },
    };

    private static Match OfSource(Source source, string ns) => new()
    {
        SourceIps = { Ranges(source.IpBlocks) },
        NotSourceIps = { Ranges(source.NotIpBlocks) },
        Namespaces = { Texts(source.Namespaces) },
        NotNamespaces = { Texts(source.NotNamespaces) },
        ServiceAccounts = { Accounts(source.ServiceAccounts, ns) },
        NotServiceAccounts = { Accounts(source.NotServiceAccounts, ns) },
        Principals = { Texts(source.Principals) },
        NotPrincipals = { Texts(source.NotPrincipals) },
        TrustDomains = { Texts(source.TrustDomains) },
        NotTrustDomains = { Texts(source.NotTrustDomains) },
    };

    private static Match OfCondition(Condition when, string ns) => when.Key switch
    {
        "source.ip" => new Match { SourceIps = { Ranges(when.Values) }, NotSourceIps = { Ranges(when.NotValues) } },
        "source.namespace" => new Match { Namespaces = { Texts(when.Values) }, NotNamespaces = { Texts(when.NotValues) } },
        "source.principal" => new Match { Principals = { Texts(when.Values) }, NotPrincipals = { Texts(when.NotValues) } },
        "source.serviceAccount" =>
            new Match { ServiceAccounts = { Accounts(when.Values, ns) }, NotServiceAccounts = { Accounts(when.NotValues, ns) } },
        "source.trustDomain" => new Match { TrustDomains = { Texts(when.Values) }, NotTrustDomains = { Texts(when.NotValues) } },
        "destination.ip" => new Match { DestinationIps = { Ranges(when.Values) }, NotDestinationIps = { Ranges(when.NotValues) } },
        "destination.port" => new Match { DestinationPorts = { Ports(when.Values) }, NotDestinationPorts = { Ports(when.NotValues) } },
        _ => new Match(),
    };

    /// <summary>Whoever has an identity at all.</summary>
    public static StringMatch Anybody() => new() { Presence = new Empty() };

    private static IEnumerable<StringMatch> Texts(IEnumerable<string> values) => values.Select(static value => value switch
    {
        "*" => Anybody(),
        ['*', .. var suffix] => new StringMatch { Suffix = suffix },
        [.. var prefix, '*'] => new StringMatch { Prefix = prefix },
        _ => new StringMatch { Exact = value },
    });

    // An account without a namespace is of the policy's.
    private static IEnumerable<ServiceAccountMatch> Accounts(IEnumerable<string> values, string ns) =>
        values.Select(value => value.Split('/', 2) is [var own, var account]
            ? new ServiceAccountMatch { Namespace = own, ServiceAccount = account }
            : new ServiceAccountMatch { Namespace = ns, ServiceAccount = value });

    private static IEnumerable<uint> Ports(IEnumerable<string> values)
    {
        foreach (var value in values)
        {
            if (uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port <= PortMax) yield return port;
        }
    }

    private static IEnumerable<Address> Ranges(IEnumerable<string> values)
    {
        foreach (var value in values)
        {
            var slash = value.IndexOf('/', StringComparison.Ordinal);
            if (!IPAddress.TryParse(slash < 0 ? value : value[..slash], out var address)) continue;
            var bytes = address.GetAddressBytes();
            var length = (uint)bytes.Length * 8;
            if (slash >= 0 && (!uint.TryParse(value.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var written)
                || written > length)) continue;
            else if (slash >= 0) length = uint.Parse(value.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture);
            yield return new Address { Address_ = ByteString.CopyFrom(bytes), Length = length };
        }
    }
}
