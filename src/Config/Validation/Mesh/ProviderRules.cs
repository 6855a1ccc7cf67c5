using Istio.Mesh.V1Alpha1;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;
using Kind = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider.ProviderOneofCase;
using Provider = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider;

namespace Lateen.Config.Validation.Mesh;

/// <summary>The extension providers of MeshConfig.</summary>
internal static class ProviderRules
{
    public static void Check(Findings f, MeshConfig mesh)
    {
        var names = new HashSet<string>();
        for (var i = 0; i < mesh.ExtensionProviders.Count; i++)
        {
            var (provider, path) = (mesh.ExtensionProviders[i], $"extensionProviders[{i}]");
            f.ErrorIf(provider.Name.Length == 0, Codes.Provider, path + ".name", "empty name");
            f.ErrorIf(provider.Name.Length > 0 && !names.Add(provider.Name), Codes.Duplicate, path + ".name",
                $"duplicate provider name {provider.Name}");
            Check(f, path, provider);
        }
    }

    public static void Check(Findings f, string path, Provider provider)
    {
        if (provider.ProviderCase == Kind.None)
        {
            f.Error(Codes.Provider, path, "empty provider");
            return;
        }

        if (Target(provider) is var (service, port))
        {
            Service(f, path + ".service", service);
            Rules.Port(f, path + ".port", port);
        }

        switch (provider.ProviderCase)
        {
            case Kind.Lightstep:
                f.ErrorIf(provider.Lightstep.AccessToken.Length == 0, Codes.Provider, path + ".lightstep", "access token is required");
                break;
            case Kind.Opentelemetry:
                f.ErrorIf(provider.Opentelemetry.Http is not null && provider.Opentelemetry.Grpc is not null, Codes.Exclusive,
                    path + ".opentelemetry", "OpenTelemetry provider cannot specify both http and grpc");
                f.ErrorIf(provider.Opentelemetry.Http is { Path: { } at } && !at.StartsWith('/'), Codes.Provider,
                    path + ".opentelemetry.http.path", "the path begins with a slash");
                break;
            case Kind.EnvoyExtAuthzHttp:
                var http = provider.EnvoyExtAuthzHttp;
                ExternalAuthorization(f, path, http.StatusOnError, http.IncludeRequestBodyInCheck);
                f.ErrorIf(http.PathPrefix.Length > 0 && !http.PathPrefix.StartsWith('/'), Codes.Provider, path + ".pathPrefix",
                    "the path prefix begins with a slash");
                break;
            case Kind.EnvoyExtAuthzGrpc:
                ExternalAuthorization(f, path, provider.EnvoyExtAuthzGrpc.StatusOnError,
                    provider.EnvoyExtAuthzGrpc.IncludeRequestBodyInCheck);
                break;
        }
    }

    /// <summary><c>[namespace/]host</c>: a domain name or an address, without port.</summary>
    public static void Service(Findings f, string path, string service)
    {
        var parts = service.Split('/');
        if (parts.Length > 2 || (parts.Length == 2 && !NameRules.IsLabel(parts[0])))
        {
            f.Error(Codes.Provider, path, $"provider service \"{service}\" must be of the form [namespace/]hostname");
            return;
        }

        var host = parts[^1];
        f.ErrorIf(NameRules.IsAddress(host) ? null : NameRules.Domain(host), Codes.Provider, path);
    }

    private static (string Service, uint Port)? Target(Provider provider) => provider.ProviderCase switch
    {
        Kind.EnvoyExtAuthzHttp => (provider.EnvoyExtAuthzHttp.Service, provider.EnvoyExtAuthzHttp.Port),
        Kind.EnvoyExtAuthzGrpc => (provider.EnvoyExtAuthzGrpc.Service, provider.EnvoyExtAuthzGrpc.Port),
        Kind.Zipkin => (provider.Zipkin.Service, provider.Zipkin.Port),
        Kind.Lightstep => (provider.Lightstep.Service, provider.Lightstep.Port),
        Kind.Datadog => (provider.Datadog.Service, provider.Datadog.Port),
        Kind.Opencensus => (provider.Opencensus.Service, provider.Opencensus.Port),
        Kind.Skywalking => (provider.Skywalking.Service, provider.Skywalking.Port),
        Kind.Opentelemetry => (provider.Opentelemetry.Service, provider.Opentelemetry.Port),
        Kind.EnvoyHttpAls => (provider.EnvoyHttpAls.Service, provider.EnvoyHttpAls.Port),
        Kind.EnvoyTcpAls => (provider.EnvoyTcpAls.Service, provider.EnvoyTcpAls.Port),
        Kind.EnvoyOtelAls => (provider.EnvoyOtelAls.Service, provider.EnvoyOtelAls.Port),
        Kind.Sds => (provider.Sds.Service, provider.Sds.Port),
        _ => null,
    };

    private static void ExternalAuthorization(Findings f, string path, string statusOnError,
        Provider.Types.EnvoyExternalAuthorizationRequestBody? body)
    {
        var isStatus = int.TryParse(statusOnError, System.Globalization.NumberStyles.None,
            System.Globalization.CultureInfo.InvariantCulture, out var status) && status is >= 200 and <= 599;
        f.ErrorIf(statusOnError.Length > 0 && !isStatus, Codes.Provider, path + ".statusOnError", $"\"{statusOnError}\" is no HTTP status");
        f.ErrorIf(body is { MaxRequestBytes: 0 }, Codes.Provider, path + ".includeRequestBodyInCheck.maxRequestBytes",
            "maxRequestBytes must be greater than 0");
    }
}
