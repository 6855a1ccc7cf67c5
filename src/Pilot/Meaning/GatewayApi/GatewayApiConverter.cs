using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;
using Lateen.Registry;
using Route = Istio.Networking.V1Alpha3.HTTPRoute;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>What came out of a conversion.</summary>
/// <param name="Gateways">A Gateway for each listener.</param>
/// <param name="VirtualServices">Routes.</param>
/// <param name="DestinationRules">Policies of backends.</param>
public sealed record GatewayApiResources(
    IReadOnlyList<Resource<Istio.Networking.V1Alpha3.Gateway>> Gateways,
    IReadOnlyList<Resource<VirtualService>> VirtualServices,
    IReadOnlyList<Resource<DestinationRule>> DestinationRules)
{
    /// <summary>Nothing.</summary>
    public static readonly GatewayApiResources None = new([], [], []);
}

/// <summary>Converts, and remembers the last result.</summary>
public sealed class GatewayApiConverter
{
    private List<object> _lastInputs = [];
    private GatewayApiResources _last = GatewayApiResources.None;

    /// <summary>The resources that these mean; the same objects as long as nothing changed that they depend on.</summary>
    public GatewayApiResources Convert(GatewayApiInputs inputs, RegistryView registry, string domainSuffix)
    {
        if (inputs.IsEmpty) return _last = GatewayApiResources.None;
        List<object> all = [domainSuffix, registry.Namespaces, .. registry.Services, .. inputs.All()];
        if (_last != GatewayApiResources.None && all.Count == _lastInputs.Count && all.Zip(_lastInputs).All(pair => ReferenceEquals(pair.First, pair.Second))) return _last;
        _lastInputs = all;
        return _last = Convert(new GatewayApiWorld(inputs, registry, domainSuffix));
    }

    private static GatewayApiResources Convert(GatewayApiWorld world)
    {
        var listeners = new ListenerConversion(world);
        foreach (var gateway in Ordered(world.Inputs.Gateways)) listeners.Convert(gateway);
        var attachment = new RouteAttachment(world, listeners.Listeners);
        var backends = new Backends(world);
        var streams = new StreamRouteConversion(attachment, backends);
        List<Resource<VirtualService>> rules =
        [
            .. Http(world, attachment, new HttpRouteConversion(backends), new HttpRouteConversion(new Backends(world, needsGrants: false))),
            .. Ordered(world.Inputs.TcpRoutes).Where(route => route.Spec.Spec is not null).SelectMany(streams.Of),
            .. Ordered(world.Inputs.TlsRoutes).Where(route => route.Spec.Spec is not null).SelectMany(streams.Of),
        ];
        return new GatewayApiResources(listeners.Converted, rules, [.. new BackendTlsConversion(world).Convert()]);
    }

    // Routes of one host at one listener become one VirtualService, as their matches are ranked together.
    private static IEnumerable<Resource<VirtualService>> Http(
        GatewayApiWorld world, RouteAttachment attachment, HttpRouteConversion atGateways, HttpRouteConversion inMesh)
    {
        List<Attachment> AttachedTo(string kind, ResourceMetadata metadata, IEnumerable<ParentReference> parents, IReadOnlyList<string> hostnames) =>
            [.. attachment.Of(kind, metadata.Namespace, parents, hostnames)];
        WrittenRoute Written<T>(string kind, Resource<T> route, List<Attachment> attachments, Func<HttpRouteConversion, Resource<T>, IEnumerable<Route>> convert)
            where T : class, Google.Protobuf.IMessage<T>, new() => new(kind, route.Metadata, attachments, [.. convert(atGateways, route)], [.. convert(inMesh, route)]);

        var written = Ordered(world.Inputs.HttpRoutes).Where(route => route.Spec.Spec is not null)
            .Select(route => Written("HTTPRoute", route, AttachedTo("HTTPRoute", route.Metadata, route.Spec.Spec.ParentRefs, route.Spec.Spec.Hostnames),
                static (conversion, own) => conversion.Of(own.Metadata.Namespace, own.Metadata.Name, own.Spec)))
            .Concat(Ordered(world.Inputs.GrpcRoutes).Where(route => route.Spec.Spec is not null)
                .Select(route => Written("GRPCRoute", route, AttachedTo("GRPCRoute", route.Metadata, route.Spec.Spec.ParentRefs, route.Spec.Spec.Hostnames),
                    static (conversion, own) => conversion.Of(own.Metadata.Namespace, own.Metadata.Name, own.Spec))));
        return Placed(written);
    }

    private static IEnumerable<Resource<VirtualService>> Placed(IEnumerable<WrittenRoute> written)
    {
        var placed = written
            .SelectMany(route => route.Attachments.SelectMany(attached => attached.Hosts.Select(host => (route, attached, host))))
            .GroupBy(entry => NameOf(entry.route, entry.attached, entry.host));
        foreach (var group in placed)
        {
            var first = group.First();
            var spec = new VirtualService { Hosts = { first.host }, Gateways = { first.attached.Gateway } };
            if (first.attached.IsConsumer) spec.ExportTo.Add(".");
            spec.Http.Add(HttpRouteConversion.Sorted(group.SelectMany(entry => entry.route.RoutesAt(entry.attached).Select(route => OfPort(route, entry.attached.Port)))));
            var parents = group.Select(entry => $"{entry.route.Kind}/{entry.route.Metadata.Name}.{entry.route.Metadata.Namespace}").Distinct();
            yield return Converted.VirtualService(first.route.Metadata, group.Key, spec, string.Join(',', parents));
        }
    }

    private static Route OfPort(Route route, int port)
    {
        if (port == 0) return route;
        var own = route.Clone();
        if (own.Match.Count == 0) own.Match.Add(new HTTPMatchRequest());
        foreach (var match in own.Match) match.Port = (uint)port;
        return own;
    }

    private static string NameOf(WrittenRoute route, Attachment attached, string host) => attached switch
    {
        { Gateway: "mesh", Port: > 0 } => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{route.Metadata.Namespace}~{attached.Port}~{host}"),
        { Gateway: "mesh" } => $"{route.Metadata.Namespace}~{host}",
        _ => $"{attached.Gateway.Replace('/', '~')}~{host}",
    };

    private static IEnumerable<Resource<T>> Ordered<T>(IEnumerable<Resource<T>> resources) where T : class, Google.Protobuf.IMessage<T>, new() => resources
        .OrderBy(resource => resource.Metadata.CreationTime.GetValueOrDefault())
        .ThenBy(resource => resource.Metadata.Namespace, StringComparer.Ordinal).ThenBy(resource => resource.Metadata.Name, StringComparer.Ordinal);

    private sealed record WrittenRoute(string Kind, ResourceMetadata Metadata, List<Attachment> Attachments, List<Route> AtGateways, List<Route> InMesh)
    {
        public List<Route> RoutesAt(Attachment attached) => attached.Listener is null ? InMesh : AtGateways;
    }
}
