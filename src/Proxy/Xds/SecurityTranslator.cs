using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds;

/// <summary>Transport sockets: plain text, TLS, and those around another one.</summary>
internal abstract class SecurityTranslator
{
    /// <summary>The context of connections to upstreams; null for plain text.</summary>
    public abstract Clusters.UpstreamSecurity? Upstream(Core.TransportSocket? socket, Rejections rejections);

    /// <summary>The context of accepted connections; null for plain text.</summary>
    public abstract Listeners.DownstreamSecurity? Downstream(Core.TransportSocket? socket, Rejections rejections);

    /// <summary>The PROXY protocol header that an upstream socket begins with; null for none.</summary>
    public abstract Clusters.ProxyHeaderOptions? ProxyHeader(Core.TransportSocket? socket, Rejections rejections);

    /// <summary>Secrets that were named since the last call and have not come, and how long they are waited for, in microseconds.</summary>
    public abstract IReadOnlyList<(string Name, long Patience)> TakeAwaited();

    /// <summary>True where a secret has come.</summary>
    public abstract bool HasSecret(string name);

    /// <summary>A generic secret by name: of the bootstrap, or by SDS; it follows what comes.</summary>
    public abstract Lateen.Proxy.Filters.CredentialInjector.SecretText SecretText(
        Envoy.Extensions.TransportSockets.Tls.V3.SdsSecretConfig config);

    /// <summary>Secrets arrived (SDS); contexts that name them are renewed for new connections.</summary>
    public abstract IReadOnlyList<(string Name, string Reason)> TakeSecrets(IReadOnlyList<IncomingResource> resources,
        IReadOnlyList<string> removed);
}
