using Envoy.Extensions.TransportSockets.Tls.V3;
using Envoy.Type.Matcher.V3;

namespace Lateen.Pilot.Generation.Proxyless;

/// <summary>TLS of gRPC libraries: certificates come from the provider "default" of their bootstrap file, not from SDS.</summary>
internal static class ProxylessTls
{
    /// <summary>Name that libraries insist on.</summary>
    public const string SocketName = "envoy.transport_sockets.tls";

    private const string Provider = "default";
    private const string Workload = "default";
    private const string Root = "ROOTCA";

    /// <summary>The context of both ends.</summary>
    /// <param name="names">Identities that the peer must have one of; none for any of the mesh.</param>
    public static CommonTlsContext Context(IEnumerable<string> names)
    {
        // Each is said twice: older libraries know the deprecated fields only.
#pragma warning disable CS0612
        var trusted = new CertificateValidationContext
        {
            CaCertificateProviderInstance = new CertificateProviderPluginInstance { InstanceName = Provider, CertificateName = Root },
            MatchSubjectAltNames = { names.Select(static name => new StringMatcher { Exact = name }) },
        };
        return new CommonTlsContext
        {
            TlsCertificateProviderInstance = new CertificateProviderPluginInstance { InstanceName = Provider, CertificateName = Workload },
            TlsCertificateCertificateProviderInstance = new CommonTlsContext.Types.CertificateProviderInstance
            {
                InstanceName = Provider,
                CertificateName = Workload,
            },
            CombinedValidationContext = new CommonTlsContext.Types.CombinedCertificateValidationContext
            {
                DefaultValidationContext = trusted,
                ValidationContextCertificateProviderInstance = new CommonTlsContext.Types.CertificateProviderInstance
                {
                    InstanceName = Provider,
                    CertificateName = Root,
                },
            },
        };
#pragma warning restore CS0612
    }
}
