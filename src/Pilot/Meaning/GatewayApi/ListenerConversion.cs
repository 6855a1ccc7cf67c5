using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning.GatewayApi.Status;
using IstioGateway = Istio.Networking.V1Alpha3.Gateway;
using KubernetesGateway = Kubernetes.Gateway.V1.Gateway;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>A listener that routes can attach to.</summary>
/// <param name="OwnerKind">Gateway or ListenerSet.</param>
/// <param name="Owner">Namespace and name of the owner.</param>
/// <param name="Gateway">Namespace and name of the Gateway.</param>
/// <param name="Draft">The listener.</param>
/// <param name="InternalName">Namespace and name of the converted Gateway.</param>
internal sealed record AttachableListener(
    string OwnerKind, (string Namespace, string Name) Owner, (string Namespace, string Name) Gateway, ListenerDraft Draft,
    string InternalName)
{
    public Listener Listener => Draft.Listener;

    public string Hostname => Listener.Hostname;
}

/// <summary>Listeners of Gateways and ListenerSets as Istio's Gateways.</summary>
internal sealed class ListenerConversion(GatewayApiWorld world)
{
    private const int HbonePort = 15008;

    private readonly ListenerTls _tls = new(world);

    public List<AttachableListener> Listeners { get; } = [];

    public List<Resource<IstioGateway>> Converted { get; } = [];

    public List<GatewayDraft> Drafts { get; } = [];

    public void Convert(Resource<KubernetesGateway> gateway)
    {
        if (gateway.Spec.Spec is not { } spec || world.ClassOf(spec.GatewayClassName) is not { } traits) return;
        var (services, problem) = ServicesOf(gateway, traits);
        var draft = new GatewayDraft(gateway, traits, services, problem);
        Drafts.Add(draft);
        if (traits.IsRemote) return;
        List<Resource<ListenerSet>> sets =
        [
            .. world.Inputs.ListenerSets.Where(set => IsChild(set, gateway)).OrderBy(set => set.Metadata.CreationTime.GetValueOrDefault())
                .ThenBy(set => $"{set.Namespace}/{set.Name}", StringComparer.Ordinal),
        ];
        draft.Sets.AddRange(sets.Select(set => new ListenerSetDraft(set, draft, Refusal(set, gateway, traits))));
        // Without a place to serve there is nothing to say of listeners.
        if (services.Count == 0 && problem is not null) return;
        var taken = draft.Sets.Where(set => set.Refused is null)
            .Select(set => (set, Listeners: set.Set.Spec.Spec.Listeners.Select(WithPort).ToList())).ToList();
        var conflicts = ListenerConflicts.Of(spec.Listeners.Concat(taken.SelectMany(set => set.Listeners)));
        Add(draft, "Gateway", gateway.Metadata, spec.Listeners, draft.Listeners, conflicts);
        foreach (var (set, listeners) in taken) Add(draft, "ListenerSet", set.Set.Metadata, listeners, set.Listeners, conflicts);
    }

    private static bool IsChild(Resource<ListenerSet> set, Resource<KubernetesGateway> gateway)
    {
        if (set.Spec.Spec?.ParentRef is not { } parent || parent.Name != gateway.Metadata.Name) return false;
        if ((parent.HasKind && parent.Kind != "Gateway") || (parent.HasGroup && parent.Group != GatewayApiWorld.Group)) return false;
        return (parent.HasNamespace ? parent.Namespace : set.Metadata.Namespace) == gateway.Metadata.Namespace;
    }

    private Problem? Refusal(Resource<ListenerSet> set, Resource<KubernetesGateway> gateway, GatewayClassTraits traits)
    {
        const string reason = "NotAllowed";
        if (!traits.TakesListenerSets)
            return new Problem(reason, $"The \"{gateway.Spec.Spec.GatewayClassName}\" GatewayClass does not support ListenerSet");
        return world.Allows(gateway.Spec.Spec.AllowedListeners?.Namespaces, "None", gateway.Namespace, set.Namespace) ? null
            : new Problem(reason, "The parent Gateway does not allow this reference; check the 'spec.allowedRoutes'");
    }

    // A set may leave out the port of a protocol that has one of its own.
    private static Listener WithPort(Listener listener)
    {
        if (listener.Port != 0) return listener;
        var copy = listener.Clone();
        copy.Port = listener.Protocol switch { "HTTP" => 80, "HTTPS" => 443, _ => 0 };
        return copy;
    }

    private void Add(GatewayDraft parent, string kind, ResourceMetadata owner, IEnumerable<Listener> listeners, List<ListenerDraft> drafts,
        IReadOnlyDictionary<Listener, string> conflicts)
    {
        foreach (var listener in listeners)
        {
            var draft = DraftOf(parent, kind, owner, listener, conflicts.GetValueOrDefault(listener));
            drafts.Add(draft);
            if (parent.Class.IsWaypoint || (parent.Class.IsEastWest && listener.Port == HbonePort)) continue;
            var name = $"{owner.Name}~{GatewayApiWorld.Suffix}~{listener.Name}";
            Listeners.Add(new AttachableListener(kind, (owner.Namespace, owner.Name), (parent.Gateway.Namespace, parent.Gateway.Name),
                draft, $"{owner.Namespace}/{name}"));
            if (draft.IsValid)
                Converted.Add(Kinds.Gateway.Create(owner.Namespace, name, new IstioGateway { Servers = { draft.Server } },
                    Marked(parent, kind, owner, listener, name)));
        }
    }

    private static ResourceMetadata Marked(GatewayDraft parent, string kind, ResourceMetadata owner, Listener listener, string name)
    {
        var marks = new Dictionary<string, string>
        {
            ["internal.istio.io/gateway-semantics"] = "gateway",
            ["internal.istio.io/gateway-service"] = string.Join(',', parent.Services),
            ["internal.istio.io/parents"] = $"{kind}/{owner.Name}/{listener.Name}.{owner.Namespace}",
            ["internal.istio.io/service-account-name"] = IsManaged(parent.Gateway.Spec.Spec)
                ? parent.Gateway.Annotations.GetValueOrDefault("gateway.istio.io/service-account",
                    DefaultName(parent.Gateway, parent.Class)) : "",
        };
        if (kind == "ListenerSet") marks["internal.istio.io/parent-namespace"] = parent.Gateway.Namespace;
        return new ResourceMetadata { Name = name, Namespace = owner.Namespace, CreationTime = owner.CreationTime, Annotations = marks };
    }

    private ListenerDraft DraftOf(GatewayDraft parent, string kind, ResourceMetadata owner, Listener listener, string? conflict)
    {
        const string fine = "No errors found";
        var conditions = new ConditionDrafts().With("Accepted", "Accepted", fine).With("Programmed", "Programmed", fine)
            .With("Conflicted", "NoConflicts", fine, whenGood: false)
            .With("ResolvedRefs", "ResolvedRefs", fine);
        var (tls, problem) = _tls.Of(parent.Gateway, kind, owner, listener);
        var server = new Server
        {
            Port = new Port { Name = "default", Number = (uint)listener.Port, Protocol = listener.Protocol },
            Tls = tls,
        };
        server.Hosts.Add(HostsOf(listener, owner.Namespace));
        var draft = new ListenerDraft(listener, conditions, server);
        Judge(draft, parent.Class, problem);
        if (conflict is null) return draft;
        var lost = new Problem(conflict, "Listener has a conflict with another listener attached to the same Gateway");
        foreach (var type in (string[])["Accepted", "Programmed", "Conflicted"]) conditions.Fail(type, lost);
        draft.IsValid = false;
        return draft;
    }

    private static void Judge(ListenerDraft draft, GatewayClassTraits traits, Problem? tls)
    {
        var (listener, conditions) = (draft.Listener, draft.Conditions);
        if (tls is not null)
        {
            conditions.Fail("ResolvedRefs", tls);
            if (ListenerTls.ForbidsAcceptance(tls)) conditions.Fail("Accepted", tls with { Reason = "NoValidCACertificate" });
            Unprogrammed(draft);
        }
        if (ProtocolProblem(listener, traits) is { } protocol)
        {
            conditions.Fail("Accepted", new Problem("UnsupportedProtocol", protocol));
            draft.IsValid = false;
        }
        else if (listener is { Protocol: "HTTPS" or "TLS", Tls: null })
        {
            conditions.Fail("Accepted",
                new Problem("UnsupportedProtocol", $"protocol is {listener.Protocol} but no TLS section is defined"));
            Unprogrammed(draft);
        }
        else if (traits.IsWaypoint && listener is not { Port: HbonePort, Protocol: "HBONE" })
        {
            conditions.Fail("Accepted",
                new Problem("UnsupportedProtocol", "Expected a single listener on port 15008 with protocol \"HBONE\""));
        }
        else if (traits.IsEastWest && listener.Port == HbonePort && listener is not { Protocol: "HBONE", Tls.Mode: "Terminate" })
        {
            conditions.Fail("Accepted",
                new Problem("UnsupportedProtocol",
                    "Expected a single listener on port 15008 with protocol \"HBONE\" and TLS.Mode == Terminate"));
        }
    }

    private static void Unprogrammed(ListenerDraft draft)
    {
        draft.Conditions.Fail("Programmed", new Problem("Invalid", "Bad TLS configuration"));
        draft.IsValid = false;
    }

    private static string? ProtocolProblem(Listener listener, GatewayClassTraits traits) => listener.Protocol switch
    {
        _ when listener.Port == 0 => $"protocol {listener.Protocol} requires a port to be set",
        "HTTP" or "HTTPS" or "TLS" or "TCP" => null,
        "HBONE" => traits.IsWaypoint || traits.IsEastWest ? null : "protocol \"HBONE\" is only supported for waypoint proxies",
        var other when other.ToUpperInvariant() is "HTTP" or "HTTPS" or "TLS" or "TCP"
            or "HBONE" => $"protocol \"{other}\" is unsupported. hint: \"{other.ToUpperInvariant()}\" (uppercase) may be supported",
        var other => $"protocol \"{other}\" is unsupported",
    };

    // ---- Where it is served

    // One that names a host is bound to a service that exists; every other one is deployed for it.
    private static bool IsManaged(GatewaySpec spec) =>
        spec.Addresses.Count == 0 || (spec.Addresses.Count == 1 && (!spec.Addresses[0].HasType || spec.Addresses[0].Type == "IPAddress"));

    private static string DefaultName(Resource<KubernetesGateway> gateway, GatewayClassTraits traits) =>
        traits.HasPlainName ? gateway.Name : $"{gateway.Name}-{gateway.Spec.Spec.GatewayClassName}";

    private (IReadOnlyList<string> Services, Problem? Problem) ServicesOf(Resource<KubernetesGateway> gateway, GatewayClassTraits traits)
    {
        var (ns, spec) = (gateway.Namespace, gateway.Spec.Spec);
        if (IsManaged(spec))
            return ([world.HostOf(gateway.Annotations.GetValueOrDefault("gateway.istio.io/name-override", DefaultName(gateway, traits)),
                ns)], null);
        var hosts = spec.Addresses.Where(address => !address.HasType || address.Type == "Hostname").Select(address => address.Value)
            .ToList();
        string[] services = [.. hosts.Select(host => host.Contains('.', StringComparison.Ordinal) ? host : world.HostOf(host, ns))];
        string[] skipped = [.. spec.Addresses.Where(address => address.HasType && address.Type != "Hostname")
            .Select(address => address.Value)];
        return (services, skipped.Length > 0
            ? new Problem(Problem.UnsupportedAddress, $"only Hostname is supported, ignoring [{string.Join(' ', skipped)}]") : null);
    }

    private string[] HostsOf(Listener listener, string own)
    {
        var host = listener.Hostname.Length > 0 ? listener.Hostname : "*";
        string[] found = [.. NamespacesOf(listener.AllowedRoutes?.Namespaces, own).Select(ns => $"{ns}/{host}")];
        // Nobody may attach: certificates and names are still served, only no route.
        return found.Length > 0 ? found : [$"~/{host}"];
    }

    private IEnumerable<string> NamespacesOf(RouteNamespaces? allowed, string own) =>
        (allowed is { HasFrom: true } ? allowed.From : "Same") switch
        {
            "All" => ["*"],
            "Selector" => world.Registry.Namespaces.Keys.Where(ns => world.Allows(allowed, "Same", own, ns)).Order(StringComparer.Ordinal),
            "None" => [],
            _ => [own],
        };
}
