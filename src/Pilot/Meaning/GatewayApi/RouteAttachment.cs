using Kubernetes.Gateway.V1;
using Lateen.Api.Names;
using Lateen.Pilot.Meaning.GatewayApi.Status;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>A parent that a route names: one listener of it, or the mesh.</summary>
/// <param name="Reference">As written.</param>
/// <param name="Gateway">Converted Gateway, <c>namespace/name</c>; <c>mesh</c> for services.</param>
/// <param name="Listener">The listener; null for services.</param>
/// <param name="MeshHosts">Hosts of the service; empty for listeners.</param>
/// <param name="Denied">Why the route is not attached; null where it is.</param>
/// <param name="IsConsumer">A route for a service of another namespace: it holds for the clients of its own.</param>
internal sealed record RouteParent(ParentReference Reference, string Gateway, AttachableListener? Listener, IReadOnlyList<string> MeshHosts,
    Problem? Denied, bool IsConsumer = false)
{
    public bool IsMesh => Listener is null;

    /// <summary>Port of the service that is meant; 0 for all.</summary>
    public int MeshPort => IsMesh && Reference.HasPort ? Reference.Port : 0;
}

/// <summary>Finds what routes are attached to, and why not.</summary>
internal sealed class RouteAttachment(GatewayApiWorld world, IReadOnlyList<AttachableListener> listeners)
{
    private const string NoMatchingParent = "NoMatchingParent";
    private const string NotAllowed = "NotAllowedByListeners";
    private const string NoHostname = "NoMatchingListenerHostname";
    private const string UseWaypoint = "istio.io/use-waypoint";
    private const string UseWaypointNamespace = "istio.io/use-waypoint-namespace";

    /// <summary>All parents of a route that are ours to serve, attached or not, in a stable order.</summary>
    public List<RouteParent> ParentsOf(string kind, string ns, string name, IEnumerable<ParentReference> references,
        IReadOnlyList<string> hostnames)
    {
        List<RouteParent> parents =
        [
            .. references.OrderBy(reference => RouteStatuses.Spelled(reference, ns), StringComparer.Ordinal)
                .SelectMany(reference => ParentsOf(kind, ns, reference, hostnames)),
        ];
        foreach (var parent in parents.Where(parent => parent is { Denied: null, Listener: not null }))
            parent.Listener!.Draft.Routes.Add((kind, ns, name));
        return parents;
    }

    /// <summary>Those that it is attached to, by the names of what they are converted to.</summary>
    public static IEnumerable<RouteParent> Attached(IEnumerable<RouteParent> parents) =>
        parents.Where(parent => parent.Denied is null).OrderBy(parent => parent.Gateway, StringComparer.Ordinal);

    /// <summary>Whether a host is served at a listener: hosts that a more specific listener of the port is there for are its own, even when
    /// no route serves them there.</summary>
    public bool IsServedAt(AttachableListener at, string host)
    {
        var own = at.Hostname;
        if (own.Length > 0 && !HostNames.IsWildcard(own)) return true;
        if (own.Length > 0 && !HostNames.Matches(host, own)) return false;
        return !listeners.Any(other => other != at && other.OwnerKind == at.OwnerKind && other.Owner == at.Owner
            && other.Listener.Port == at.Listener.Port && other.Listener.Protocol == at.Listener.Protocol
            && other.Hostname != own && own.Length <= other.Hostname.Length && other.Hostname.Length > 0
            && HostNames.IsSubsetOf(host, other.Hostname));
    }

    private IEnumerable<RouteParent> ParentsOf(string kind, string ns, ParentReference reference, IReadOnlyList<string> hostnames)
    {
        var at = reference is { HasNamespace: true, Namespace.Length: > 0 } ? reference.Namespace : ns;
        return (reference.HasGroup ? reference.Group : GatewayApiWorld.Group, reference.HasKind ? reference.Kind : "Gateway") switch
        {
            (GatewayApiWorld.Group, "Gateway" or "ListenerSet") => AtListeners(kind, ns, reference, at, hostnames),
            ("" or "core", "Service") => AtService(reference, ns, at),
            ("networking.istio.io", "ServiceEntry") => AtEntry(reference, ns, at),
            _ => [],
        };
    }

    // ---- The mesh

    private IEnumerable<RouteParent> AtService(ParentReference reference, string ns, string at)
    {
        var host = world.HostOf(reference.Name, at);
        var service = world.Registry.Find(host, at);
        if (service is not null && HasForeignWaypoint(service.Labels, at)) return [];
        var missing = service is null ? new Problem(NoMatchingParent, $"parent service: \"{reference.Name}\" not found") : null;
        return [new RouteParent(reference, "mesh", null, [host], missing, at != ns)];
    }

    private IEnumerable<RouteParent> AtEntry(ParentReference reference, string ns, string at)
    {
        var entry = world.Entry(at, reference.Name);
        if (entry is not null && HasForeignWaypoint(entry.Labels, at)) return [];
        var missing = entry is null ? new Problem(NoMatchingParent, $"parent service entry: \"{reference.Name}\" not found") : null;
        return [new RouteParent(reference, "mesh", null, entry is null ? [] : [.. entry.Spec.Hosts], missing, at != ns)];
    }

    // What goes through another program's waypoint is routed there.
    private bool HasForeignWaypoint(IReadOnlyDictionary<string, string> labels, string ns)
    {
        if (!labels.TryGetValue(UseWaypoint, out var name))
        {
            if (!world.Registry.Namespaces.TryGetValue(ns, out var ofNamespace) || !ofNamespace.TryGetValue(UseWaypoint, out name))
                return false;
            labels = ofNamespace;
        }
        var at = labels.GetValueOrDefault(UseWaypointNamespace, ns);
        var waypoint = world.Inputs.Gateways.FirstOrDefault(gateway => gateway.Name == name && gateway.Namespace == at);
        return waypoint?.Spec.Spec is { } spec && world.ClassOf(spec.GatewayClassName) is null;
    }

    // ---- Listeners

    private IEnumerable<RouteParent> AtListeners(string kind, string ns, ParentReference reference, string at,
        IReadOnlyList<string> hostnames)
    {
        var ownerKind = reference.HasKind ? reference.Kind : "Gateway";
        return listeners.Where(listener => listener.OwnerKind == ownerKind && listener.Owner == (at, reference.Name))
            .Select(listener => new RouteParent(reference, listener.InternalName, listener, [],
                Denial(kind, ns, reference, listener, hostnames)));
    }

    private static Problem? Denial(string kind, string ns, ParentReference reference, AttachableListener at,
        IReadOnlyList<string> hostnames)
    {
        var listener = at.Listener;
        if (reference is { HasPort: true, Port: > 0 } && reference.Port != listener.Port)
            return new Problem(NoMatchingParent,
                string.Create(System.Globalization.CultureInfo.InvariantCulture, $"port {reference.Port} not found"));
        if (reference.SectionName.Length > 0 && reference.SectionName != listener.Name)
            return new Problem(NoMatchingParent, $"sectionName \"{reference.SectionName}\" not found");
        // It is enough that one name fits both ways; the others are left out where they are served.
        IReadOnlyList<string> names = hostnames.Count > 0 ? hostnames : ["*"];
        var (fits, isAllowed) = (false, false);
        foreach (var host in at.Draft.Server.Hosts)
        {
            var slash = host.IndexOf('/', StringComparison.Ordinal);
            if (!names.Any(name => HostNames.Matches(host[(slash + 1)..], name))) continue;
            fits = true;
            isAllowed |= host[..slash] == "*" || host[..slash] == ns;
        }
        if (!fits) return new Problem(NoHostname, $"no hostnames matched parent hostname \"{at.Hostname}\"");
        if (!isAllowed) return new Problem(NotAllowed,
            $"hostnames matched parent hostname \"{at.Hostname}\", but namespace \"{ns}\" is not allowed by the parent");
        return RouteKinds.Of(listener).Kinds.Contains(kind)
            ? null : new Problem(NotAllowed, $"kind {GatewayApiWorld.Group}/v1/{kind} is not allowed");
    }
}
