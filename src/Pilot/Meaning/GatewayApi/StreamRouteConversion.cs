using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;
using TCPRoute = Kubernetes.Gateway.V1.TCPRoute;
using TLSRoute = Kubernetes.Gateway.V1.TLSRoute;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>TCPRoutes and TLSRoutes.</summary>
internal sealed class StreamRouteConversion(RouteAttachment attachment, Backends backends)
{
    public IEnumerable<Resource<VirtualService>> Of(Resource<TCPRoute> route)
    {
        var index = 0;
        foreach (var attached in attachment.Of("TCPRoute", route.Metadata.Namespace, route.Spec.Spec.ParentRefs, []))
        {
            var spec = new VirtualService { Gateways = { attached.Gateway } };
            spec.Hosts.Add(attached.Hosts);
            foreach (var rule in route.Spec.Spec.Rules)
            {
                var made = new Istio.Networking.V1Alpha3.TCPRoute { Route = { Weighted("TCPRoute", route.Metadata.Namespace, rule.BackendRefs) } };
                if (attached.Port > 0) made.Match.Add(new L4MatchAttributes { Port = (uint)attached.Port });
                spec.Tcp.Add(made);
            }
            yield return Converted.VirtualService(route.Metadata, $"{route.Metadata.Name}~tcp~{index++}~{GatewayApiWorld.Suffix}", spec, $"TCPRoute/{route.Metadata.Name}.{route.Metadata.Namespace}");
        }
    }

    public IEnumerable<Resource<VirtualService>> Of(Resource<TLSRoute> route)
    {
        var index = 0;
        var names = route.Spec.Spec.Hostnames;
        foreach (var attached in attachment.Of("TLSRoute", route.Metadata.Namespace, route.Spec.Spec.ParentRefs, names))
        {
            foreach (var host in attached.Hosts)
            {
                var spec = new VirtualService { Hosts = { host }, Gateways = { attached.Gateway } };
                foreach (var rule in route.Spec.Spec.Rules)
                {
                    var match = new TLSMatchAttributes();
                    match.SniHosts.Add(names.Count > 0 ? attached.Hosts : ["*"]);
                    if (attached.Listener is null) match.SniHosts.Clear();
                    if (attached.Listener is null) match.SniHosts.Add(host);
                    spec.Tls.Add(new Istio.Networking.V1Alpha3.TLSRoute { Match = { match }, Route = { Weighted("TLSRoute", route.Metadata.Namespace, rule.BackendRefs) } });
                }
                yield return Converted.VirtualService(route.Metadata, $"{route.Metadata.Name}~tls~{index++}~{GatewayApiWorld.Suffix}", spec, $"TLSRoute/{route.Metadata.Name}.{route.Metadata.Namespace}");
            }
        }
    }

    private List<RouteDestination> Weighted(string kind, string ns, IEnumerable<BackendRef> references)
    {
        var weighted = references.Where(reference => !reference.HasWeight || reference.Weight > 0).ToList();
        // Where nobody is to be sent to a connection must fail, and can only by a host that never exists.
        if (weighted.Count == 0)
        {
            return [new RouteDestination { Destination = new Destination { Host = "internal.cluster.local", Subset = "zero-weight", Port = new PortSelector { Number = 65535 } } }];
        }
        return weighted.ConvertAll(reference => new RouteDestination
        {
            Destination = backends.Of(kind, ns, reference),
            Weight = weighted.Count > 1 ? reference.HasWeight ? reference.Weight : 1 : 0,
        });
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
