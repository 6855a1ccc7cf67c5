using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Istio.Mesh.V1Alpha1;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Mesh;

/// <summary>The settings of proxies: MeshConfig.defaultConfig, the annotation proxy.istio.io/config, and the kind ProxyConfig.</summary>
internal static class ProxyConfigRules
{
    public static void CheckResource(Findings f, Istio.Networking.V1Beta1.ProxyConfig config)
    {
        Rules.Selector(f, "spec.selector", config.Selector);
        f.ErrorIf(config.Concurrency is < 0, Codes.OutOfRange, "spec.concurrency", "concurrency must be greater than or equal to 0");
        f.ErrorIf(config.EnvironmentVariables.Any(v => v.Key.Length == 0 || v.Value.Length > 2048), Codes.Mesh, "spec.environmentVariables",
            "a variable needs a name, and a value of at most 2048 characters");
        Image(f, "spec.image", config.Image);
    }

    public static void Check(Findings f, string path, ProxyConfig config)
    {
        f.ErrorIf(config.ConfigPath.Length == 0, Codes.Mesh, path + ".configPath", "config path must be set");
        f.ErrorIf(config.BinaryPath.Length == 0, Codes.Mesh, path + ".binaryPath", "binary path must be set");
        f.ErrorIf(config.ClusterNameCase == ProxyConfig.ClusterNameOneofCase.None
            || (config.ClusterNameCase == ProxyConfig.ClusterNameOneofCase.ServiceCluster && config.ServiceCluster.Length == 0),
            Codes.Mesh, path, "oneof service cluster or tracing service name must be specified");
        AtLeastOneSecond(f, path + ".drainDuration", config.DrainDuration);
        AtLeastOneSecond(f, path + ".parentShutdownDuration", config.ParentShutdownDuration);
        Address(f, path + ".discoveryAddress", config.DiscoveryAddress, required: true);
        Address(f, path + ".statsdUdpAddress", config.StatsdUdpAddress, required: false);
        Address(f, path + ".envoyMetricsService.address", config.EnvoyMetricsService?.Address ?? "", required: false);
        Address(f, path + ".envoyAccessLogService.address", config.EnvoyAccessLogService?.Address ?? "", required: false);
        Rules.Port(f, path + ".proxyAdminPort", config.ProxyAdminPort);
        Rules.Port(f, path + ".statusPort", config.StatusPort);
        AuthPolicy(f, path + ".controlPlaneAuthPolicy", config.ControlPlaneAuthPolicy);
        f.ErrorIf(config.Concurrency is < 0, Codes.OutOfRange, path + ".concurrency", "concurrency must be greater than or equal to 0");
        Tracing(f, path + ".tracing", config.Tracing);
        PrivateKeys(f, path + ".privateKeyProvider", config.PrivateKeyProvider);
        Image(f, path + ".image", config.Image);
        ConnectionSettingsAre(f, path + ".connectionSettings", config.ConnectionSettings);
        f.WarnIf(config.ProxyMetadata.ContainsKey("ISTIO_META_DNS_AUTO_ALLOCATE"), Codes.Deprecated, path + ".proxyMetadata",
            "ISTIO_META_DNS_AUTO_ALLOCATE is deprecated; addresses are allocated by the control plane");
        f.WarnIf(config.ExtraStatTags.Count > 0, Codes.Deprecated, path + ".extraStatTags",
            "extraStatTags is deprecated; tags of Telemetry need no declaration");
    }

    public static void AuthPolicy(Findings f, string path, AuthenticationPolicy policy) =>
        f.ErrorIf(policy is not (AuthenticationPolicy.None or AuthenticationPolicy.MutualTls), Codes.Mesh, path,
            $"unrecognized control plane auth policy \"{policy}\"");

    public static void ConnectionSettingsAre(Findings f, string path, ConnectionSettings? settings)
    {
        if (settings is null) return;
        Positive(f, path + ".listenerPerConnectionBufferLimitBytes", settings.ListenerPerConnectionBufferLimitBytes);
        Positive(f, path + ".clusterPerConnectionBufferLimitBytes", settings.ClusterPerConnectionBufferLimitBytes);
        Positive(f, path + ".httpMaxConcurrentStreams", settings.HttpMaxConcurrentStreams);
        Positive(f, path + ".listenerConnectionLimit", settings.ListenerConnectionLimit);
        Positive(f, path + ".globalDownstreamConnectionLimit", settings.GlobalDownstreamConnectionLimit);
        Window(f, path + ".http2InitialStreamWindowSize", settings.Http2InitialStreamWindowSize);
        Window(f, path + ".http2InitialConnectionWindowSize", settings.Http2InitialConnectionWindowSize);
        foreach (var (name, duration) in new[]
        {
            ("httpIdleTimeout", settings.HttpIdleTimeout), ("httpRequestTimeout", settings.HttpRequestTimeout),
            ("httpStreamIdleTimeout", settings.HttpStreamIdleTimeout),
            ("httpRequestHeadersTimeout", settings.HttpRequestHeadersTimeout),
            ("httpMaxConnectionDuration", settings.HttpMaxConnectionDuration),
            ("httpDrainTimeout", settings.HttpDrainTimeout), ("httpMaxStreamDuration", settings.HttpMaxStreamDuration),
        })
        {
            Rules.Duration(f, $"{path}.{name}", duration, zeroAllowed: true);
        }
    }

    /// <summary>HTTP/2 knows no smaller window than its initial one (RFC 9113, 6.9.2).</summary>
    private static void Window(Findings f, string path, int? bytes) =>
        f.ErrorIf(bytes is < 65_535, Codes.OutOfRange, path, $"{bytes} bytes; at least 65535 are needed");

    private static void Positive(Findings f, string path, int? value) =>
        f.ErrorIf(value is < 1, Codes.OutOfRange, path, $"{value} must be greater than 0");

    private static void AtLeastOneSecond(Findings f, string path, Duration? duration) =>
        f.ErrorIf(duration is { } d && (d.Seconds < 1 || d.Nanos != 0), Codes.BadDuration, path, "must be at least 1s, in whole seconds");

    /// <summary><c>host:port</c>; a variable of the pod (<c>$(HOST_IP)</c>) may stand for the host.</summary>
    public static void Address(Findings f, string path, string address, bool required)
    {
        if (address.Length == 0)
        {
            f.ErrorIf(required, Codes.Mesh, path, "address must be set to host:port");
            return;
        }

        var colon = address.LastIndexOf(':');
        var (host, port) = colon < 0 ? (address, "") : (address[..colon].Trim('[', ']'), address[(colon + 1)..]);
        var isPort = int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= 65535;
        f.ErrorIf(!isPort, Codes.BadAddress, path, $"unable to split \"{address}\" into host and port");
        f.ErrorIf(!host.StartsWith("$(", StringComparison.Ordinal) && !NameRules.IsAddress(host) && NameRules.Domain(host) is not null,
            Codes.BadAddress, path, $"\"{host}\" is neither an IP address nor a domain name");
    }

    private static void Tracing(Findings f, string path, Tracing? tracing)
    {
        switch (tracing?.TracerCase)
        {
            case Istio.Mesh.V1Alpha1.Tracing.TracerOneofCase.Zipkin:
                Address(f, path + ".zipkin.address", tracing.Zipkin.Address, required: true);
                break;
            case Istio.Mesh.V1Alpha1.Tracing.TracerOneofCase.Lightstep:
                Address(f, path + ".lightstep.address", tracing.Lightstep.Address, required: true);
                f.ErrorIf(tracing.Lightstep.AccessToken.Length == 0, Codes.Mesh, path + ".lightstep.accessToken",
                    "access token is required");
                break;
            case Istio.Mesh.V1Alpha1.Tracing.TracerOneofCase.Datadog:
                Address(f, path + ".datadog.address", tracing.Datadog.Address, required: true);
                break;
        }

        if (tracing is not null)
        {
            Rules.Percent(f, path + ".sampling", tracing.Sampling);
            f.ErrorIf(tracing.CustomTags.Any(t => t.Value.TypeCase == Istio.Mesh.V1Alpha1.Tracing.Types.CustomTag.TypeOneofCase.None),
                Codes.Mesh, path + ".customTags", "a tag may not have a nil value");
        }
    }

    private static void PrivateKeys(Findings f, string path, PrivateKeyProvider? provider)
    {
        var delay = provider?.ProviderCase switch
        {
            PrivateKeyProvider.ProviderOneofCase.Cryptomb => provider.Cryptomb.PollDelay,
            PrivateKeyProvider.ProviderOneofCase.Qat => provider.Qat.PollDelay,
            _ => new Duration { Seconds = 1 },
        };
        f.ErrorIf(delay is null || delay.Seconds < 0 || delay.Nanos < 0 || (delay.Seconds == 0 && delay.Nanos == 0), Codes.Mesh, path,
            "pollDelay is required and must be non zero");
    }

    private static void Image(Findings f, string path, Istio.Networking.V1Beta1.ProxyImage? image) =>
        f.ErrorIf(image is { ImageType: { Length: > 0 } type } && !type.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'),
            Codes.Mesh, path + ".imageType", "image type is no part of an image tag");
}
