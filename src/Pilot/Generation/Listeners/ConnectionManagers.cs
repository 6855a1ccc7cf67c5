using Envoy.Config.Core.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Envoy.Extensions.Http.HeaderFormatters.PreserveCase.V3;
using Envoy.Extensions.RequestId.Uuid.V3;
using Istio.Mesh.V1Alpha1;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Telemetry;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using EscapedSlashes = Envoy.Extensions.Filters.Network.HttpConnectionManager.V3.HttpConnectionManager.Types.PathWithEscapedSlashesAction;
using Normalization = Istio.Mesh.V1Alpha1.MeshConfig.Types.ProxyPathNormalization.Types.NormalizationType;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>Renders connection managers: normalization, timeouts, routes, logs, tracing, and the filters in the order that is a
/// contract.</summary>
internal static class ConnectionManagers
{
    public static HttpConnectionManager Build(ListenerParts parts, HttpPlan plan)
    {
        var inputs = parts.Inputs;
        var manager = plan.Base.Clone();
        ApplyCodec(manager, plan, inputs);
        manager.StatPrefix = plan.StatPrefix;
        manager.AppendXForwardedPort = inputs.Config.ProxyHeaders?.XForwardedPort?.Enabled == true;
        ApplyNormalization(manager, inputs.Mesh);
        manager.UseRemoteAddress = plan.UsesRemoteAddress;
        manager.UpgradeConfigs.Add(new HttpConnectionManager.Types.UpgradeConfig { UpgradeType = "websocket" });
        if (inputs.IdleTimeout is { } idle) manager.CommonHttpProtocolOptions = new HttpProtocolOptions { IdleTimeout = idle };
        manager.StreamIdleTimeout = Wire.Zero;
        manager.Proxy100Continue = inputs.Features.Flag("ENABLE_100_CONTINUE_HEADERS", true);
        ApplyRoutes(manager, plan);
        var own = parts.ForService(plan.PolicyService);
        manager.AccessLog.Add(own.Logs.For(LogPlace.Http, plan.Class));
        ApplyTracing(manager, plan, own);
        manager.HttpFilters.Add(Filters(own, plan));
        ApplyInternalNetworks(manager, plan, inputs);
        ConnectionLimits.Apply(manager, inputs);
        return manager;
    }

    private static void ApplyCodec(HttpConnectionManager manager, HttpPlan plan, ProxyInputs inputs)
    {
        if (plan.IsQuic)
        {
            manager.CodecType = HttpConnectionManager.Types.CodecType.Http3;
            manager.Http3ProtocolOptions = new Http3ProtocolOptions();
        }
        if (inputs.Config.ProxyHeaders?.PreserveHttp1HeaderCase?.Enabled == true) manager.HttpProtocolOptions = PreservedCase();
    }

    private static Http1ProtocolOptions PreservedCase() => new()
    {
        HeaderKeyFormat = new Http1ProtocolOptions.Types.HeaderKeyFormat
        {
            StatefulFormatter = new TypedExtensionConfig
            {
                Name = "preserve_case",
                TypedConfig = Wire.Pack(new PreserveCaseFormatterConfig()),
            },
        },
    };

    private static void ApplyNormalization(HttpConnectionManager manager, MeshConfig mesh)
    {
        var kind = mesh.PathNormalization?.Normalization ?? Normalization.Default;
        manager.NormalizePath = kind != Normalization.None;
        manager.MergeSlashes = kind is Normalization.MergeSlashes or Normalization.DecodeAndMergeSlashes;
        manager.PathWithEscapedSlashesAction = kind == Normalization.DecodeAndMergeSlashes
            ? EscapedSlashes.UnescapeAndForward : EscapedSlashes.KeepUnchanged;
    }

    private static void ApplyRoutes(HttpConnectionManager manager, HttpPlan plan)
    {
        if (plan.RouteName.Length > 0) manager.Rds = new Rds { ConfigSource = Wire.FromAds(), RouteConfigName = plan.RouteName };
        else manager.RouteConfig = plan.Routes;
    }

    private static void ApplyTracing(HttpConnectionManager manager, HttpPlan plan, ListenerParts parts)
    {
        var traces = TraceSettings.Of(parts.Inputs, parts.Tracing, plan.Class);
        manager.Tracing = traces.Settings;
        manager.RequestIdExtension = new RequestIDExtension
        {
            TypedConfig = Wire.Pack(new UuidRequestIdConfig { UseRequestIdForTraceSampling = traces.UsesRequestId }),
        };
    }

    // istio.md 2.12: authorization comes before CORS and faults, statistics see what was refused.
    private static IEnumerable<HttpFilter> Filters(ListenerParts parts, HttpPlan plan)
    {
        var inputs = parts.Inputs;
        var features = inputs.Features;
        var isOutbound = plan.Class == ListenerClass.SidecarOutbound;
        var filters = new List<HttpFilter>();
        if (features.MetadataExchange && !plan.IsTunneled) filters.Add(PeerMetadata(plan, inputs));
        var extensions = parts.Extensions.Http(plan.Class, plan.Port);
        if (!isOutbound) filters.AddRange(parts.Access.CustomHttp());
        filters.AddRange(extensions.Authn);
        if (!isOutbound) filters.AddRange(parts.Requests.Http(plan.Class));
        filters.AddRange(extensions.Authz);
        if (!isOutbound) filters.AddRange(parts.Access.Http());
        if (!plan.IsWaypoint) filters.AddRange(extensions.Stats.Concat(extensions.Other));
        if (plan.Protocol == Protocol.GrpcWeb) filters.Add(HttpFilters.GrpcWeb());
        filters.Add(HttpFilters.GrpcStats());
        if (features.AlpnFilter && plan.Class != ListenerClass.SidecarInbound) filters.Add(HttpFilters.Alpn());
        filters.Add(HttpFilters.Fault());
        filters.Add(HttpFilters.Cors());
        if (plan.IsWaypoint) filters.AddRange(extensions.Stats.Concat(extensions.Other));
        filters.AddRange(parts.Stats.Http(plan.Class));
        if (plan.IsWaypoint) filters.Add(Waypoints.StateFilters.ServerMetadata());
        if (features.PersistentSessions && plan.Class != ListenerClass.SidecarInbound) filters.Add(HttpFilters.StatefulSession());
        if (features.InferencePools && inputs.Node.Type == ProxyType.Router) filters.Add(EndpointPickers.Filter());
        if (plan.DnsCache is { } cache) filters.Add(DynamicDns.HttpFilter(cache));
        filters.Add(HttpFilters.Router(inputs.Config.ProxyHeaders?.EnvoyDebugHeaders?.Disabled == true));
        return filters;
    }

    private static HttpFilter PeerMetadata(HttpPlan plan, ProxyInputs inputs)
    {
        if (plan.Class == ListenerClass.SidecarInbound) return HttpFilters.InboundPeerMetadata();
        var inMesh =
            inputs.Config.ProxyHeaders?.MetadataExchangeHeaders?.Mode == ProxyConfig.Types.ProxyHeaders.Types.MetadataExchangeMode.InMesh;
        return HttpFilters.OutboundPeerMetadata(inMesh && plan.RouteName != Routes.SidecarRoutes.HttpProxyName);
    }

    // Where the client's address is trusted, the networks of the mesh must be named, or internal headers are stripped.
    private static void ApplyInternalNetworks(HttpConnectionManager manager, HttpPlan plan, ProxyInputs inputs)
    {
        var networks = inputs.Scope.Snapshot.Settings.Networks.Networks;
        if (networks.Count == 0 || !(plan.UsesRemoteAddress || inputs.Features.Flag("ENABLE_HCM_INTERNAL_NETWORKS", false))) return;
        var config = new HttpConnectionManager.Types.InternalAddressConfig();
        foreach (var endpoint in networks.OrderBy(static n => n.Key, StringComparer.Ordinal).SelectMany(static n => n.Value.Endpoints))
        {
            if (endpoint.FromCidr.Length > 0 && FilterChainPlan.CidrOf(endpoint.FromCidr) is { } range) config.CidrRanges.Add(range);
        }
        manager.InternalAddressConfig = config;
    }
}
