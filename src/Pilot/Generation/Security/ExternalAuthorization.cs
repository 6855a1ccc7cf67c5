using System.Globalization;
using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Http.ExtAuthz.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Envoy.Type.Matcher.V3;
using Envoy.Type.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.Mesh.V1Alpha1;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Telemetry;
using Lateen.Registry;
using AuthHttpService = Envoy.Extensions.Filters.Http.ExtAuthz.V3.HttpService;
using GrpcProvider = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider.Types.EnvoyExternalAuthorizationGrpcProvider;
using HttpProvider = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider.Types.EnvoyExternalAuthorizationHttpProvider;
using NetworkExtAuthz = Envoy.Extensions.Filters.Network.ExtAuthz.V3.ExtAuthz;
using Provider = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider;
using RequestBody = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider.Types.EnvoyExternalAuthorizationRequestBody;

namespace Lateen.Pilot.Generation.Security;

/// <summary>An authorization provider that can be asked.</summary>
/// <param name="Host">Its host.</param>
/// <param name="Cluster">Cluster that reaches it.</param>
/// <param name="Status">Answer when it can't be reached.</param>
/// <param name="Http">Settings of an HTTP provider.</param>
/// <param name="Grpc">Settings of a gRPC provider.</param>
internal sealed record ExternalProvider(string Host, string Cluster, StatusCode Status, HttpProvider? Http, GrpcProvider? Grpc);

/// <summary>Filters that ask an authorization provider.</summary>
internal static class ExternalAuthorization
{
    /// <summary>Begins the names of policies that lead to a provider.</summary>
    public const string PolicyPrefix = "istio-ext-authz";

    /// <summary>Prefix of the note that the rules leave for the filter.</summary>
    public const string ShadowPrefix = "istio_ext_authz_";

    private const string PolicyIdKey = ShadowPrefix + "shadow_effective_policy_id";
    private const long DefaultTimeoutSeconds = 600;
    private const int PortMax = 65535;

    /// <summary>The provider of a name; null when there is none or it can't be used.</summary>
    public static ExternalProvider? Resolve(MeshConfig mesh, RegistryView registry, string name)
    {
        var provider = mesh.ExtensionProviders.FirstOrDefault(p => p.Name == name);
        return provider?.ProviderCase switch
        {
            Provider.ProviderOneofCase.EnvoyExtAuthzHttp when IsPath(provider.EnvoyExtAuthzHttp.PathPrefix) =>
                Of(registry, provider.EnvoyExtAuthzHttp.Service, provider.EnvoyExtAuthzHttp.Port, provider.EnvoyExtAuthzHttp.StatusOnError,
                    provider.EnvoyExtAuthzHttp, null),
            Provider.ProviderOneofCase.EnvoyExtAuthzGrpc =>
                Of(registry, provider.EnvoyExtAuthzGrpc.Service, provider.EnvoyExtAuthzGrpc.Port, provider.EnvoyExtAuthzGrpc.StatusOnError,
                    null, provider.EnvoyExtAuthzGrpc),
            _ => null,
        };
    }

    /// <summary>The filter of an HTTP chain.</summary>
    public static HttpFilter Http(ExternalProvider provider, string name)
    {
        var filter = provider.Http is { } http ? AskHttp(provider, http) : AskGrpc(provider, provider.Grpc!);
        filter.StatusOnError = new HttpStatus { Code = provider.Status };
        filter.TransportApiVersion = ApiVersion.V3;
        filter.FilterEnabledMetadata = Enabled("envoy.filters.http.rbac", name);
        return HttpFilters.Named("envoy.filters.http.ext_authz", filter);
    }

    /// <summary>The filter of a chain of bytes; null for an HTTP provider.</summary>
    public static Filter? Tcp(ExternalProvider provider, string name) => provider.Grpc is not { } grpc
        ? null
        : NetworkFilters.Named("envoy.filters.network.ext_authz", new NetworkExtAuthz
        {
            StatPrefix = "tcp.",
            FailureModeAllow = grpc.FailOpen,
            TransportApiVersion = ApiVersion.V3,
            GrpcService = Service(provider, grpc),
            FilterEnabledMetadata = Enabled("envoy.filters.network.rbac", name),
        });

    private static ExternalProvider? Of(RegistryView registry, string service, uint port, string status, HttpProvider? http,
        GrpcProvider? grpc)
    {
        if (port is 0 or > PortMax || Providers.Cluster(registry, service, port) is not var (host, cluster)) return null;
        var code = StatusCode.Forbidden;
        if (status.Length > 0)
        {
            if (!int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                || !System.Enum.IsDefined((StatusCode)number)) return null;
            code = (StatusCode)number;
        }
        return new ExternalProvider(host, cluster, code, http, grpc);
    }

    private static bool IsPath(string prefix) =>
        prefix.Length == 0 || (prefix.StartsWith('/') && Uri.TryCreate("http://host" + prefix, UriKind.Absolute, out _));

    private static ExtAuthz AskGrpc(ExternalProvider provider, GrpcProvider grpc) => new()
    {
        GrpcService = Service(provider, grpc),
        FailureModeAllow = grpc.FailOpen,
        WithRequestBody = Body(grpc.IncludeRequestBodyInCheck),
        ClearRouteCache = grpc.ClearRouteCache == true,
    };

    private static ExtAuthz AskHttp(ExternalProvider provider, HttpProvider http)
    {
        var service = new AuthHttpService
        {
            PathPrefix = http.PathPrefix,
            ServerUri = new HttpUri
            {
                Uri = $"http://{provider.Host}",
                Cluster = provider.Cluster,
                Timeout = http.Timeout ?? Wire.Seconds(DefaultTimeoutSeconds),
            },
        };
        if (http.IncludeAdditionalHeadersInCheck.Count > 0)
        {
            service.AuthorizationRequest = new AuthorizationRequest();
            service.AuthorizationRequest.HeadersToAdd.Add(
                http.IncludeAdditionalHeadersInCheck.OrderBy(static h => h.Key, StringComparer.Ordinal)
                    .Select(static h => new HeaderValue { Key = h.Key, Value = h.Value }));
        }
        if (http.HeadersToUpstreamOnAllow.Count > 0 || http.HeadersToDownstreamOnDeny.Count > 0
            || http.HeadersToDownstreamOnAllow.Count > 0)
        {
            service.AuthorizationResponse = new AuthorizationResponse
            {
                AllowedUpstreamHeaders = Names(http.HeadersToUpstreamOnAllow),
                AllowedClientHeaders = Names(http.HeadersToDownstreamOnDeny),
                AllowedClientHeadersOnSuccess = Names(http.HeadersToDownstreamOnAllow),
            };
        }
        return new ExtAuthz
        {
            HttpService = service,
            AllowedHeaders = Names(http.IncludeRequestHeadersInCheck.Count > 0
                ? http.IncludeRequestHeadersInCheck : http.IncludeHeadersInCheck),
            FailureModeAllow = http.FailOpen,
            WithRequestBody = Body(http.IncludeRequestBodyInCheck),
            ClearRouteCache = http.ClearRouteCache == true,
        };
    }

    private static GrpcService Service(ExternalProvider provider, GrpcProvider grpc) => new()
    {
        EnvoyGrpc = new GrpcService.Types.EnvoyGrpc { ClusterName = provider.Cluster, Authority = provider.Host },
        Timeout = grpc.Timeout ?? Wire.Seconds(DefaultTimeoutSeconds),
    };

    private static BufferSettings? Body(RequestBody? body) => body is null ? null : new BufferSettings
    {
        MaxRequestBytes = body.MaxRequestBytes,
        AllowPartialMessage = body.AllowPartialMessage,
        PackAsBytes = body.PackAsBytes,
    };

    private static ListStringMatcher? Names(IReadOnlyCollection<string> names)
    {
        if (names.Count == 0) return null;
        var list = new ListStringMatcher();
        list.Patterns.Add(names.Select(static n => RbacMatchers.Text(n, n != "*")));
        return list;
    }

    private static MetadataMatcher Enabled(string filter, string name)
    {
        var matcher = new MetadataMatcher
        {
            Filter = filter,
            Value = new ValueMatcher { StringMatch = new StringMatcher { Prefix = $"{PolicyPrefix}-{name}" } },
        };
        matcher.Path.Add(new MetadataMatcher.Types.PathSegment { Key = PolicyIdKey });
        return matcher;
    }
}
