using Provider = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider;

namespace Lateen.Pilot.Meaning;

/// <summary>Services that extension providers of the mesh configuration are reached at.</summary>
public static class ExtensionProviders
{
    /// <summary>The hostname of a provider's service, without the namespace that may stand before it; none for providers without
    /// service.</summary>
    public static IEnumerable<string> HostsOf(Provider provider)
    {
        var service = provider.ProviderCase switch
        {
            Provider.ProviderOneofCase.EnvoyExtAuthzHttp => provider.EnvoyExtAuthzHttp.Service,
            Provider.ProviderOneofCase.EnvoyExtAuthzGrpc => provider.EnvoyExtAuthzGrpc.Service,
            Provider.ProviderOneofCase.Zipkin => provider.Zipkin.Service,
            Provider.ProviderOneofCase.Datadog => provider.Datadog.Service,
            Provider.ProviderOneofCase.Skywalking => provider.Skywalking.Service,
            Provider.ProviderOneofCase.Opentelemetry => provider.Opentelemetry.Service,
            Provider.ProviderOneofCase.Opencensus => provider.Opencensus.Service,
            Provider.ProviderOneofCase.Lightstep => provider.Lightstep.Service,
            Provider.ProviderOneofCase.EnvoyHttpAls => provider.EnvoyHttpAls.Service,
            Provider.ProviderOneofCase.EnvoyTcpAls => provider.EnvoyTcpAls.Service,
            Provider.ProviderOneofCase.EnvoyOtelAls => provider.EnvoyOtelAls.Service,
            Provider.ProviderOneofCase.Sds => provider.Sds.Service,
            _ => "",
        };
        if (service.Length == 0) yield break;
        yield return service[(service.IndexOf('/', StringComparison.Ordinal) + 1)..];
    }
}
