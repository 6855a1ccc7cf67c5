using Kubernetes.Gateway.V1;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>Where a route is attached.</summary>
/// <param name="Gateway">Converted Gateway, <c>namespace/name</c>; <c>mesh</c> for services.</param>
/// <param name="Hosts">Hosts that it serves there.</param>
/// <param name="Listener">The listener; null for services.</param>
/// <param name="Port">Port of the service that is meant; 0 for all.</param>
/// <param name="IsConsumer">A route for a service of another namespace: it holds for the clients of its own.</param>
internal sealed record Attachment(string Gateway, IReadOnlyList<string> Hosts, AttachableListener? Listener, int Port = 0, bool IsConsumer = false);

/// <summary>Finds what routes are attached to.</summary>
internal sealed class RouteAttachment(GatewayApiWorld world, IReadOnlyList<AttachableListener> listeners)
{
    public IEnumerable<Attachment> Of(string kind, string ns, IEnumerable<ParentReference> parents, IReadOnlyList<string> hostnames)
    {
        foreach (var parent in parents)
        {
            var parentNamespace = parent.HasNamespace && parent.Namespace.Length > 0 ? parent.Namespace : ns;
            var found = (parent.HasKind ? parent.Kind : "Gateway") switch
            {
                "Gateway" or "ListenerSet" => ToListeners(kind, ns, parent, parentNamespace, hostnames),
                "Service" => ToHosts([world.HostOf(parent.Name, parentNamespace)], parent, parentNamespace, ns),
                "ServiceEntry" => ToHosts(
                    world.Registry.Services.Where(service => service.EntryName == parent.Name && service.Namespace == parentNamespace).Select(service => service.Hostname),
                    parent, parentNamespace, ns),
                _ => [],
            };
            foreach (var attachment in found) yield return attachment;
        }
    }

    private static IEnumerable<Attachment> ToHosts(IEnumerable<string> hosts, ParentReference parent, string parentNamespace, string ns)
    {
        foreach (var host in hosts) yield return new Attachment("mesh", [host], null, parent.HasPort ? parent.Port : 0, parentNamespace != ns);
    }

    private IEnumerable<Attachment> ToListeners(string kind, string ns, ParentReference parent, string parentNamespace, IReadOnlyList<string> hostnames)
    {
        var ownerKind = parent.HasKind ? parent.Kind : "Gateway";
        foreach (var listener in listeners)
        {
            if (listener.OwnerKind != ownerKind || listener.Owner != (parentNamespace, parent.Name)) continue;
            if (parent is { HasSectionName: true } && parent.SectionName.Length > 0 && parent.SectionName != listener.Listener.Name) continue;
            if (parent.HasPort && parent.Port != listener.Listener.Port) continue;
            if (!listener.Takes(kind) || !world.Allows(listener.Listener.AllowedRoutes?.Namespaces, "Same", listener.Owner.Namespace, ns)) continue;
            List<string> hosts = hostnames.Count == 0 ? ["*"] : [.. hostnames];
            if (hostnames.Count > 0 && !hostnames.Any(host => Intersects(host, listener.Hostname))) continue;
            hosts = hosts.FindAll(host => IsServedBy(listener, host));
            if (hosts.Count > 0) yield return new Attachment($"{listener.Owner.Namespace}/{listener.InternalName}", hosts, listener);
        }
    }

    // Hosts that a more specific listener of the port is there for are its own, even when no route serves them there.
    private bool IsServedBy(AttachableListener listener, string host)
    {
        if (host == "*" || (listener.Hostname.Length > 0 && !listener.Hostname.StartsWith('*'))) return true;
        if (!Intersects(host, listener.Hostname)) return false;
        return !listeners.Any(other => other != listener && other.Gateway == listener.Gateway
            && other.Listener.Port == listener.Listener.Port && other.Listener.Protocol == listener.Listener.Protocol
            && other.Hostname.Length > 0 && Contains(other.Hostname, host) && !Contains(other.Hostname, listener.Hostname.Length == 0 ? "*" : listener.Hostname));
    }

    private static bool Intersects(string host, string listener) => listener.Length == 0 || Contains(listener, host) || Contains(host, listener);

    private static bool Contains(string pattern, string host)
    {
        if (pattern == host || pattern == "*") return true;
        return pattern.StartsWith('*') && host.Length >= pattern.Length && host.EndsWith(pattern[1..], StringComparison.Ordinal);
    }
}
