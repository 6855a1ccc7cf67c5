using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning.GatewayApi.Status;
using TCPRoute = Kubernetes.Gateway.V1.TCPRoute;
using TLSRoute = Kubernetes.Gateway.V1.TLSRoute;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>TCPRoutes and TLSRoutes: a VirtualService for each host at each place.</summary>
internal sealed class StreamRouteConversion(GatewayApiWorld world, RouteAttachment attachment)
{
    private readonly Backends _atGateways = new(world), _inMesh = new(world, needsGrants: false);

    public (IReadOnlyList<Resource<VirtualService>> Rules, GatewayApiStatus Status) Of(Resource<TCPRoute> route)
    {
        var (ns, spec) = (route.Namespace, route.Spec.Spec);
        var parents = attachment.ParentsOf("TCPRoute", ns, route.Name, spec.ParentRefs, []);
        var (gateways, mesh) = (Weighted("TCPRoute", ns, spec.Rules, _atGateways, parents, false),
            Weighted("TCPRoute", ns, spec.Rules, _inMesh, parents, true));
        var made = new List<Resource<VirtualService>>();
        foreach (var parent in RouteAttachment.Attached(parents))
        {
            foreach (var host in parent.IsMesh ? parent.MeshHosts : ["*"])
            {
                var rule = new VirtualService { Hosts = { host }, Gateways = { parent.Gateway } };
                foreach (var destinations in (parent.IsMesh ? mesh : gateways).Rules)
                {
                    var tcp = new Istio.Networking.V1Alpha3.TCPRoute { Route = { destinations } };
                    if (parent.MeshPort > 0) tcp.Match.Add(new L4MatchAttributes { Port = (uint)parent.MeshPort });
                    rule.Tcp.Add(tcp);
                }
                made.Add(Converted.VirtualService(route.Metadata, Name(route.Name, "tcp", made.Count), rule,
                    $"TCPRoute/{route.Name}.{ns}"));
            }
        }
        return (made, RouteStatuses.Of(Kinds.TCPRoute, route.Metadata, route.Spec.Status, parents, gateways.Problem, mesh.Problem));
    }

    public (IReadOnlyList<Resource<VirtualService>> Rules, GatewayApiStatus Status) Of(Resource<TLSRoute> route)
    {
        var (ns, spec) = (route.Namespace, route.Spec.Spec);
        var parents = attachment.ParentsOf("TLSRoute", ns, route.Name, spec.ParentRefs, spec.Hostnames);
        var (gateways, mesh) = (Weighted("TLSRoute", ns, spec.Rules, _atGateways, parents, false),
            Weighted("TLSRoute", ns, spec.Rules, _inMesh, parents, true));
        var made = new List<Resource<VirtualService>>();
        foreach (var parent in RouteAttachment.Attached(parents))
        {
            foreach (var host in parent.IsMesh ? parent.MeshHosts : spec.Hostnames.Count > 0 ? spec.Hostnames : ["*"])
            {
                var rule = new VirtualService { Hosts = { host }, Gateways = { parent.Gateway } };
                foreach (var destinations in (parent.IsMesh ? mesh : gateways).Rules)
                {
                    var match = new TLSMatchAttributes { Port = (uint)parent.MeshPort };
                    match.SniHosts.Add(Names(spec.Hostnames, parent, host));
                    rule.Tls.Add(new Istio.Networking.V1Alpha3.TLSRoute { Match = { match }, Route = { destinations } });
                }
                made.Add(Converted.VirtualService(route.Metadata, Name(route.Name, "tls", made.Count), rule,
                    $"TLSRoute/{route.Name}.{ns}"));
            }
        }
        return (made, RouteStatuses.Of(Kinds.TLSRoute, route.Metadata, route.Spec.Status, parents, gateways.Problem, mesh.Problem));
    }

    // In the mesh a route without names is for those of its service; of several only what the host at hand can be.
    private static IEnumerable<string> Names(IReadOnlyList<string> written, RouteParent parent, string host)
    {
        if (!parent.IsMesh) return written.Count > 0 ? written : ["*"];
        var names = written.Count > 0 ? written : parent.MeshHosts;
        return names.Count > 1 ? names.Where(name => HostNames.Matches(host, name)) : names;
    }

    private static string Name(string route, string kind, int index) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{route}~{kind}~{index}~{GatewayApiWorld.Suffix}");

    private static (IReadOnlyList<List<RouteDestination>> Rules, Problem? Problem) Weighted(
        string kind, string ns, IEnumerable<TCPRouteRule> rules, Backends backends, List<RouteParent> parents, bool isMesh)
    {
        if (!parents.Exists(parent => parent.IsMesh == isMesh)) return ([], null);
        var made = new List<List<RouteDestination>>();
        Problem? problem = null;
        foreach (var rule in rules)
        {
            var (destinations, own) = Weighted(kind, ns, rule.BackendRefs, backends);
            if (own is { IsOfBackend: false }) return ([], own);
            problem = own ?? problem;
            made.Add(destinations);
        }
        return (made, problem);
    }

    private static (List<RouteDestination> Destinations, Problem? Problem) Weighted(string kind, string ns,
        IEnumerable<BackendRef> references, Backends backends)
    {
        var weighted = references.Where(reference => !reference.HasWeight || reference.Weight > 0).ToList();
        // Where nobody is to be sent to a connection must fail, and can only by a host that never exists.
        if (weighted.Count == 0)
            return ([new RouteDestination { Destination = new Destination
            {
                Host = "internal.cluster.local",
                Subset = "zero-weight",
                Port = new PortSelector { Number = 65535 },
            } }], null);
        var made = new List<RouteDestination>();
        Problem? problem = null;
        foreach (var reference in weighted)
        {
            var (destination, own) = backends.Of(kind, ns, reference);
            if (own is { IsOfBackend: false }) return ([], own);
            problem = own ?? problem;
            made.Add(new RouteDestination
            {
                Destination = destination,
                Weight = weighted.Count > 1 ? reference.HasWeight ? reference.Weight : 1 : 0,
            });
        }
        return (made, problem);
    }
}

/// <summary>Converted resources and the marks that they carry.</summary>
internal static class Converted
{
    public static Resource<VirtualService> VirtualService(ResourceMetadata from, string name, VirtualService spec, string parents) =>
        Kinds.VirtualService.Create(from.Namespace, name, spec, new ResourceMetadata
        {
            Name = name,
            Namespace = from.Namespace,
            CreationTime = from.CreationTime,
            Annotations = new Dictionary<string, string>
            {
                ["internal.istio.io/parents"] = parents,
                ["internal.istio.io/route-semantics"] = "gateway",
            },
        });
}
