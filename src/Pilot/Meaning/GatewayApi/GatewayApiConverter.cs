using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning.GatewayApi.Status;
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

    /// <summary>There may be statuses, but nothing that proxies are told.</summary>
    public bool IsNothing => Gateways.Count + VirtualServices.Count + DestinationRules.Count == 0;

    /// <summary>Renders the statuses; asked anew when endpoints changed, which the resources do not depend on.</summary>
    internal Func<RegistryView, IReadOnlyList<GatewayApiStatus>> Render { get; init; } = static _ => [];

    /// <summary>What became of each object that is ours to serve, with the endpoints of this moment.</summary>
    public IReadOnlyList<GatewayApiStatus> Statuses(RegistryView registry) => Render(registry);
}

/// <summary>Converts, and remembers the last result.</summary>
public sealed class GatewayApiConverter
{
    private List<object> _lastInputs = [];
    private GatewayApiResources _last = GatewayApiResources.None;

    /// <summary>The resources that these mean; the same objects as long as nothing changed that they depend on.</summary>
    public GatewayApiResources Convert(GatewayApiInputs inputs, RegistryView registry, string domainSuffix)
    {
        if (inputs.IsEmpty && inputs.Classes.Count == 0) return _last = GatewayApiResources.None;
        // Classes alone, which are in every cluster, mean nothing; they are told that they are ours.
        List<object> all = inputs.IsEmpty
            ? [.. inputs.Classes] : [domainSuffix, registry.Namespaces, .. registry.Services, .. inputs.All()];
        if (_last != GatewayApiResources.None && all.Count == _lastInputs.Count
            && all.Zip(_lastInputs).All(pair => ReferenceEquals(pair.First, pair.Second))) return _last;
        _lastInputs = all;
        var world = new GatewayApiWorld(inputs, registry, domainSuffix);
        return _last = inputs.IsEmpty
            ? new GatewayApiResources([], [], []) { Render = _ => [.. new GatewayStatuses(world).Classes()] } : Convert(world);
    }

    private static GatewayApiResources Convert(GatewayApiWorld world)
    {
        var listeners = new ListenerConversion(world);
        foreach (var gateway in Ordered(world.Inputs.Gateways)) listeners.Convert(gateway);
        var attachment = new RouteAttachment(world, listeners.Listeners);
        List<WrittenRoute> http = [.. Http(world, attachment)];
        var streams = new StreamRouteConversion(world, attachment);
        List<(IReadOnlyList<Resource<VirtualService>> Rules, GatewayApiStatus Status)> stream =
        [
            .. Ordered(world.Inputs.TcpRoutes).Where(route => route.Spec.Spec is not null).Select(streams.Of),
            .. Ordered(world.Inputs.TlsRoutes).Where(route => route.Spec.Spec is not null).Select(streams.Of),
        ];
        var policies = new BackendPolicyConversion(world);
        var rules = policies.Convert();
        IReadOnlyList<GatewayApiStatus> Statuses(RegistryView registry)
        {
            var statuses = new GatewayStatuses(world with { Registry = registry });
            return
            [
                .. statuses.Classes(), .. listeners.Drafts.Select(statuses.Of),
                .. listeners.Drafts.SelectMany(gateway => gateway.Sets).Select(statuses.Of),
                .. http.Select(route => RouteStatuses.Of(route.Kind, route.Metadata, route.Status, route.Parents, route.AtGateways.Problem,
                    route.InMesh.Problem)),
                .. stream.Select(route => route.Status), .. policies.Statuses, .. PoolStatuses.Of(world),
            ];
        }
        return new GatewayApiResources(listeners.Converted, [.. Placed(http, attachment), .. stream.SelectMany(route => route.Rules)],
            rules) { Render = Statuses };
    }

    private static IEnumerable<WrittenRoute> Http(GatewayApiWorld world, RouteAttachment attachment)
    {
        var (atGateways, inMesh) =
            (new HttpRouteConversion(new Backends(world)), new HttpRouteConversion(new Backends(world, needsGrants: false)));
        WrittenRoute Written(ResourceKind kind, Resource route, IEnumerable<ParentReference> references, IReadOnlyList<string> hostnames,
            RouteStatus? status, Func<HttpRouteConversion, ConvertedRules> convert)
        {
            var parents = attachment.ParentsOf(kind.Name, route.Namespace, route.Name, references, hostnames);
            return new WrittenRoute(kind, route.Metadata, hostnames, status, parents,
                parents.Exists(parent => !parent.IsMesh) ? convert(atGateways)
                    : ConvertedRules.None, parents.Exists(parent => parent.IsMesh) ? convert(inMesh) : ConvertedRules.None);
        }
        foreach (var route in Ordered(world.Inputs.HttpRoutes).Where(route => route.Spec.Spec is not null))
            yield return Written(Kinds.HTTPRoute, route, route.Spec.Spec.ParentRefs, route.Spec.Spec.Hostnames, route.Spec.Status,
                conversion => conversion.Of(route.Namespace, route.Name, route.Spec));
        foreach (var route in Ordered(world.Inputs.GrpcRoutes).Where(route => route.Spec.Spec is not null))
            yield return Written(Kinds.GRPCRoute, route, route.Spec.Spec.ParentRefs, route.Spec.Spec.Hostnames, route.Spec.Status,
                conversion => conversion.Of(route.Namespace, route.Name, route.Spec));
    }

    // Routes of one host at one listener become one VirtualService, as their matches are ranked together.
    private static IEnumerable<Resource<VirtualService>> Placed(IEnumerable<WrittenRoute> written, RouteAttachment attachment)
    {
        var placed = written.SelectMany(
            route => RouteAttachment.Attached(route.Parents).Where(parent => route.RulesAt(parent).Routes.Count > 0)
                    .SelectMany(parent => HostsAt(route, parent, attachment).Select(host => (route, parent, host))))
            .GroupBy(entry => NameOf(entry.route, entry.parent, entry.host));
        foreach (var group in placed)
        {
            var first = group.First();
            var spec = new VirtualService { Hosts = { first.host }, Gateways = { first.parent.Gateway } };
            if (first.parent.IsConsumer) spec.ExportTo.Add(".");
            spec.Http.Add(HttpRouteConversion.Sorted(
                group.SelectMany(entry =>
                    entry.route.RulesAt(entry.parent).Routes.Select(
                        route => (OfPort(route, entry.parent.MeshPort), entry.route.Kind == Kinds.HTTPRoute)))));
            var parents = group.Select(entry => $"{entry.route.Kind.Name}/{entry.route.Metadata.Name}.{entry.route.Metadata.Namespace}")
                .Distinct();
            yield return Converted.VirtualService(first.route.Metadata, group.Key, spec, string.Join(',', parents));
        }
    }

    private static IEnumerable<string> HostsAt(WrittenRoute route, RouteParent parent, RouteAttachment attachment)
    {
        if (parent.Listener is not { } listener) return parent.MeshHosts;
        IReadOnlyList<string> hosts = route.Hostnames.Count > 0 ? route.Hostnames : ["*"];
        return hosts.Where(host => attachment.IsServedAt(listener, host));
    }

    private static Route OfPort(Route route, int port)
    {
        if (port == 0) return route;
        var own = route.Clone();
        if (own.Match.Count == 0) own.Match.Add(new HTTPMatchRequest());
        foreach (var match in own.Match) match.Port = (uint)port;
        return own;
    }

    private static string NameOf(WrittenRoute route, RouteParent parent, string host) => parent switch
    {
        { IsMesh: true, MeshPort: > 0 } =>
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{route.Metadata.Namespace}~{parent.MeshPort}~{host}"),
        { IsMesh: true } => $"{route.Metadata.Namespace}~{host}",
        _ => $"{parent.Gateway.Replace('/', '~')}~{host}",
    };

    private static IEnumerable<Resource<T>> Ordered<T>(IEnumerable<Resource<T>> resources)
        where T : class, Google.Protobuf.IMessage<T>, new() => resources
            .OrderBy(resource => resource.Metadata.CreationTime.GetValueOrDefault())
            .ThenBy(resource => resource.Metadata.Namespace, StringComparer.Ordinal)
            .ThenBy(resource => resource.Metadata.Name, StringComparer.Ordinal);

    private sealed record WrittenRoute(
        ResourceKind Kind, ResourceMetadata Metadata, IReadOnlyList<string> Hostnames, RouteStatus? Status, List<RouteParent> Parents,
        ConvertedRules AtGateways, ConvertedRules InMesh)
    {
        public ConvertedRules RulesAt(RouteParent parent) => parent.IsMesh ? InMesh : AtGateways;
    }
}
