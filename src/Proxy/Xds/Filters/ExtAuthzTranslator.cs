using System.Text;
using Envoy.Extensions.Filters.Http.ExtAuthz.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Filters.ExtAuthz;
using Lateen.Proxy.Remote;
using Lateen.Proxy.Routing;
using Core = Envoy.Config.Core.V3;
using Message = Envoy.Extensions.Filters.Http.ExtAuthz.V3.ExtAuthz;
using NetworkMessage = Envoy.Extensions.Filters.Network.ExtAuthz.V3.ExtAuthz;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>envoy.filters.http.ext_authz, and its network form.</summary>
internal sealed class ExtAuthzTranslator : FilterTranslator
{
    /// <summary>The type of the network form.</summary>
    public const string NetworkType = "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz";

    private const string Path = "/envoy.service.auth.v3.Authorization/Check";
    private const long TimeoutMicros = 200_000;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", "envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"];

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, ExtAuthzPerRoute.Parser, rejections) is not { } route)
            return null;
        if (route.OverrideCase == ExtAuthzPerRoute.OverrideOneofCase.Disabled)
            return new ExtAuthzRouteSettings { Disabled = true };
        CheckSettings check = route.CheckSettings ?? new CheckSettings();
        return new ExtAuthzRouteSettings
        {
            Extensions = new Dictionary<string, string>(check.ContextExtensions),
            NoBody = check.DisableRequestBodyBuffering,
            Body = Body(check.WithRequestBody),
        };
    }

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Message.Parser, rejections) is not { } m)
            return null;
        AuthzService? service = m.ServicesCase switch
        {
            Message.ServicesOneofCase.GrpcService => Grpc(m, translation, rejections),
            Message.ServicesOneofCase.HttpService => Http(m, translation, rejections),
            _ => null,
        };
        if (service is null)
        {
            rejections.Add("a service is required");
            return null;
        }
        if (m.TypedMetadataContextNamespaces.Count + m.RouteTypedMetadataContextNamespaces.Count > 0)
            rejections.Note("typed metadata is not had: typed_metadata_context_namespaces have no effect");
        return new ExtAuthzFilter(name, Of(m, service, rejections), Stats(m, translation)) { DisabledByDefault = disabled };
    }

    private static AuthzStats Stats(Message m, Translation translation)
    {
        string part = m.StatPrefix.Length > 0 ? $"ext_authz.{m.StatPrefix}." : "ext_authz.";
        return new AuthzStats(translation.Statistics.Group(translation.HttpStatPrefix + part, AuthzStats.Schema),
            new ClusterFilterStats(translation.Statistics, part, AuthzStats.OfCluster, translation.Workers));
    }

    private static ExtAuthzSettings Of(Message m, AuthzService service, Rejections rejections) => new()
    {
        Service = service,
        FailureModeAllow = m.FailureModeAllow,
        MarkFailureMode = m.FailureModeAllowHeaderAdd,
        StatusOnError = m.StatusOnError is { } status && (int)status.Code != 0 ? (int)status.Code : 403,
        Body = Body(m.WithRequestBody),
        ClearRoute = m.ClearRouteCache,
        Enabled = m.FilterEnabled is null ? Fraction.All : ValueTranslator.Fraction(m.FilterEnabled, Fraction.All),
        EnabledMetadata = m.FilterEnabledMetadata is null ? null : MatcherTranslator.Metadata(m.FilterEnabledMetadata, rejections),
        DenyAtDisable = m.DenyAtDisable?.DefaultValue ?? false,
        ValidateMutations = m.ValidateMutations,
        MutationRules = m.DecoderHeaderMutationRules is { } rules ? Rules(rules, rejections) : null,
        ChargesCluster = m.ChargeClusterResponseStats ?? true,
        TakesMetadata = m.EnableDynamicMetadataIngestion ?? true,
    };

    private static AuthzBody? Body(BufferSettings? body) =>
        body is null
            ? null : new AuthzBody((int)Math.Min(body.MaxRequestBytes, int.MaxValue / 2), body.AllowPartialMessage, body.PackAsBytes);

    /// <summary>Which headers a server may change.</summary>
    public static HeaderMutationRules Rules(Envoy.Config.Common.MutationRules.V3.HeaderMutationRules rules, Rejections rejections) => new()
    {
        AllowRouting = rules.AllowAllRouting ?? false,
        AllowEnvoy = rules.AllowEnvoy ?? false,
        DisallowSystem = rules.DisallowSystem ?? false,
        DisallowAll = rules.DisallowAll ?? false,
        Allowed = rules.AllowExpression is null ? null : MatcherTranslator.Regex(rules.AllowExpression.Regex, rejections),
        Disallowed = rules.DisallowExpression is null ? null : MatcherTranslator.Regex(rules.DisallowExpression.Regex, rejections),
        DisallowedIsError = rules.DisallowIsError ?? false,
    };

    private static HeaderNames Names(Envoy.Type.Matcher.V3.ListStringMatcher? names, Rejections rejections) =>
        names is null ? HeaderNames.None
            : new HeaderNames([.. names.Patterns.Select(p => MatcherTranslator.String(p, rejections)).OfType<StringMatch>()]);

    private static GrpcAuthzService? Grpc(Message m, Translation translation, Rejections rejections) =>
        SideTranslator.Grpc(m.GrpcService, Path, TimeoutMicros, translation, rejections) is not { } method
            ? null : new GrpcAuthzService(new GrpcAuthzOptions
            {
                Method = method,
                Sent = Names(m.AllowedHeaders, rejections),
                Withheld = Names(m.DisallowedHeaders, rejections),
                RawHeaders = m.EncodeRawHeaders,
                BodyAsBytes = m.WithRequestBody?.PackAsBytes ?? false,
                Certificate = m.IncludePeerCertificate,
                TlsSession = m.IncludeTlsSession,
                Namespaces = [.. m.MetadataContextNamespaces],
                RouteNamespaces = [.. m.RouteMetadataContextNamespaces],
                Labels = Labels(m.BootstrapMetadataLabelsKey, translation),
            });

    private static Dictionary<string, string> Labels(string key, Translation translation)
    {
        if (key.Length == 0 || translation.Node.Metadata is not { } metadata || !metadata.Fields.TryGetValue(key, out Value? labels)
            || labels.StructValue is null)
            return [];
        return labels.StructValue.Fields.ToDictionary(static f => f.Key, static f => f.Value.StringValue);
    }

    private static HttpAuthzService? Http(Message m, Translation translation, Rejections rejections)
    {
        HttpService http = m.HttpService;
        if (http.ServerUri is null || SideTranslator.Target(http.ServerUri, translation, rejections) is not { } target)
            return null;
        AuthorizationResponse response = http.AuthorizationResponse ?? new AuthorizationResponse();
#pragma warning disable CS0612 // the older place of the allowed headers
        Envoy.Type.Matcher.V3.ListStringMatcher? sent = m.AllowedHeaders ?? http.AuthorizationRequest?.AllowedHeaders;
#pragma warning restore CS0612
        return new HttpAuthzService(new HttpAuthzOptions
        {
            // Asked without the client's addresses, as Envoy asks.
            Target = target with { OwnAddress = default },
            PathPrefix = Encoding.UTF8.GetBytes(http.PathPrefix),
            Sent = Names(sent, rejections),
            Withheld = Names(m.DisallowedHeaders, rejections),
            Added = Added(http.AuthorizationRequest, rejections),
            ToUpstream = Names(response.AllowedUpstreamHeaders, rejections),
            ToUpstreamAppended = Names(response.AllowedUpstreamHeadersToAppend, rejections),
            ToDenied = Names(response.AllowedClientHeaders, rejections),
            ToAllowed = Names(response.AllowedClientHeadersOnSuccess, rejections),
            ToMetadata = Names(response.DynamicMetadataFromHeaders, rejections),
        });
    }

    private static HeaderMutations Added(AuthorizationRequest? request, Rejections rejections) => new([], [.. (request?.HeadersToAdd ?? [])
        .Select(
            h => RouteTranslator.Addition(
                new Core.HeaderValueOption
                {
                    Header = h,
                    AppendAction = Core.HeaderValueOption.Types.HeaderAppendAction.OverwriteIfExistsOrAdd,
                }, rejections))
        .OfType<HeaderAddition>()]);

    /// <summary>The network form; null with a rejection.</summary>
    public static ExtAuthzNetworkFilter? Network(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, NetworkMessage.Parser, rejections) is not { } m)
            return null;
        if (m.GrpcService is null)
            rejections.Add("grpc_service is required");
        if (m.GrpcService is null || SideTranslator.Grpc(m.GrpcService, Path, TimeoutMicros, translation, rejections) is not { } method)
            return null;
        var service = new GrpcAuthzService(new GrpcAuthzOptions
        {
            Method = method,
            Certificate = m.IncludePeerCertificate,
            TlsSession = m.IncludeTlsSession,
            Labels = Labels(m.BootstrapMetadataLabelsKey, translation),
        });
        return new ExtAuthzNetworkFilter(service, m.FailureModeAllow,
            m.FilterEnabledMetadata is null ? null : MatcherTranslator.Metadata(m.FilterEnabledMetadata, rejections),
            translation.Statistics.Group($"ext_authz.{m.StatPrefix}.", ExtAuthzNetworkFilter.Schema));
    }
}
