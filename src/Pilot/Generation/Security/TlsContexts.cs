using Envoy.Config.Core.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Envoy.Type.Matcher.V3;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Scope;
using IstioTlsProtocol = Istio.Networking.V1Alpha3.ServerTLSSettings.Types.TLSProtocol;
using Mode = Istio.Networking.V1Alpha3.ServerTLSSettings.Types.TLSmode;
using TlsProtocol = Envoy.Extensions.TransportSockets.Tls.V3.TlsParameters.Types.TlsProtocol;

namespace Lateen.Pilot.Generation.Security;

/// <summary>What a downstream TLS context is for.</summary>
internal enum TlsUse
{
    /// <summary>HTTP over TCP.</summary>
    Http,

    /// <summary>Opaque bytes after termination.</summary>
    Tcp,

    /// <summary>HTTP/3.</summary>
    Quic,
}

/// <summary>TLS contexts of listeners.</summary>
internal static class TlsContexts
{
    /// <summary>How long a handshake may take.</summary>
    public const int HandshakeSeconds = 15;

    private static readonly string[] MeshCiphers =
    [
        "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-GCM-SHA256",
    ];

    private static readonly string[] FipsCiphers =
        ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"];

    // What a Gateway may name; anything else Envoy would refuse together with the whole listener.
    private static readonly HashSet<string> KnownCiphers = new(StringComparer.Ordinal)
    {
        "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
        "AES256-GCM-SHA384", "AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA", "AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA", "AES256-SHA", "DES-CBC3-SHA",
    };

    /// <summary>Mutual TLS of the mesh on an inbound chain.</summary>
    /// <param name="node">Proxy: its metadata may name certificate files.</param>
    /// <param name="mesh">Mesh settings: versions, curves, ciphers.</param>
    /// <param name="trustDomains">Trust domains whose peers are let in; empty for all that the roots vouch for.</param>
    /// <param name="use">Kind of traffic.</param>
    /// <param name="compliance">Compliance policy; empty for none.</param>
    /// <param name="exchangesPeers">Offers the protocol of the peer metadata exchange.</param>
    public static DownstreamTlsContext Inbound(
        ProxyNode node, MeshConfig mesh, IReadOnlyList<string> trustDomains, TlsUse use, string compliance = "", bool exchangesPeers = true)
    {
        var common = new CommonTlsContext { TlsParams = MeshParameters(mesh) };
        if (use == TlsUse.Tcp && exchangesPeers) common.AlpnProtocols.Add("istio-peer-exchange");
        common.AlpnProtocols.Add(["h2", "http/1.1"]);
        ApplyWorkloadSecrets(common, node.Metadata.TlsServer, [], trustDomains, "", true);
        Comply(common, compliance);
        return new DownstreamTlsContext { CommonTlsContext = common, RequireClientCertificate = true };
    }

    /// <summary>TLS of a Gateway server or a Sidecar ingress listener. Null where the proxy does not terminate.</summary>
    public static DownstreamTlsContext? Server(ServerTLSSettings? tls, ServerTlsInputs inputs)
    {
        if (tls is null || tls.Mode is Mode.Passthrough or Mode.AutoPassthrough) return null;
        var common = new CommonTlsContext();
        common.AlpnProtocols.Add(Alpn(tls, inputs));
        var requires = tls.Mode is Mode.Mutual or Mode.IstioMutual && inputs.Use != TlsUse.Quic;
        var validates = requires || tls.Mode == Mode.OptionalMutual;
        if (tls.Mode == Mode.IstioMutual)
            ApplyWorkloadSecrets(common, inputs.Node.Metadata.TlsServer, tls.SubjectAltNames, [], tls.CaCrl, validates);
        else if (tls.CredentialName.Length > 0 || tls.CredentialNames.Count > 0) ApplyCredentials(common, tls, inputs);
        else ApplyFiles(common, tls, validates);
        if (tls.Mode != Mode.IstioMutual)
        {
            ApplyMeshDefaults(common, inputs.Mesh.TlsDefaults);
            ApplyOwnParameters(common, tls);
        }
        if (tls.InsecureSkipVerify == true && validates) AcceptUntrusted(common);
        Comply(common, inputs.Compliance);
        return new DownstreamTlsContext { CommonTlsContext = common, RequireClientCertificate = requires };
    }

    /// <summary>The transport socket around a context; null for plaintext.</summary>
    public static TransportSocket? Socket(DownstreamTlsContext? context) =>
        context is null ? null : new TransportSocket { Name = "envoy.transport_sockets.tls", TypedConfig = Wire.Pack(context) };

    /// <summary>The transport socket of HTTP/3 around a context.</summary>
    public static TransportSocket? QuicSocket(DownstreamTlsContext? context) => context is null ? null : new TransportSocket
    {
        Name = "envoy.transport_sockets.quic",
        TypedConfig = Wire.Pack(new Envoy.Extensions.TransportSockets.Quic.V3.QuicDownstreamTransport { DownstreamTlsContext = context }),
    };

    /// <summary>Mesh-wide settings for what the mesh does not terminate itself.</summary>
    public static void ApplyMeshDefaults(CommonTlsContext common, MeshConfig.Types.TLSConfig? defaults)
    {
        if (defaults is null) return;
        if (defaults.EcdhCurves.Count > 0) Parameters(common).EcdhCurves.Add(defaults.EcdhCurves);
        if (defaults.CipherSuites.Count > 0) Parameters(common).CipherSuites.Add(defaults.CipherSuites);
        if (MeshVersion(defaults.MinProtocolVersion) is { } minimum) Parameters(common).TlsMinimumProtocolVersion = minimum;
    }

    /// <summary>Certificates from the agent, or from files that the metadata names, and the peers that are let in.</summary>
    public static void ApplyWorkloadSecrets(
        CommonTlsContext common, (string CertChain, string Key, string RootCert) files, IEnumerable<string> names,
        IEnumerable<string> trustDomains, string crl, bool validates)
    {
        common.TlsCertificateSdsSecretConfigs.Add(files.CertChain.Length > 0 && files.Key.Length > 0
            ? SecretConfigs.OfFiles(files.CertChain, files.Key)
            : SecretConfigs.OfAgent(SecretConfigs.Workload));
        if (!validates) return;
        var context = new CertificateValidationContext();
#pragma warning disable CS0612 // matches any kind of name; the typed successor would need one entry a kind
        context.MatchSubjectAltNames.Add(names.Select(static n => new StringMatcher { Exact = n }));
        context.MatchSubjectAltNames.Add(trustDomains.Select(static d => new StringMatcher { Prefix = $"spiffe://{d}/" }));
#pragma warning restore CS0612
        if (crl.Length > 0) context.Crl = new DataSource { Filename = crl };
        common.CombinedValidationContext = new CommonTlsContext.Types.CombinedCertificateValidationContext
        {
            DefaultValidationContext = context,
            ValidationContextSdsSecretConfig = files.RootCert.Length > 0
                ? SecretConfigs.OfRootFile(files.RootCert) : SecretConfigs.OfAgent(SecretConfigs.Root),
        };
    }

    /// <summary>Versions, curves and ciphers of mutual TLS inside the mesh.</summary>
    public static TlsParameters MeshParameters(MeshConfig mesh)
    {
        var parameters = new TlsParameters
        {
            TlsMinimumProtocolVersion = MeshVersion(mesh.MeshMTLS?.MinProtocolVersion ?? default) ?? TlsProtocol.Tlsv12,
            TlsMaximumProtocolVersion = TlsProtocol.Tlsv13,
        };
        parameters.CipherSuites.Add(mesh.MeshMTLS is { CipherSuites.Count: > 0 } own ? own.CipherSuites : MeshCiphers);
        if (mesh.MeshMTLS is { } settings) parameters.EcdhCurves.Add(settings.EcdhCurves);
        return parameters;
    }

    private static IEnumerable<string> Alpn(ServerTLSSettings tls, ServerTlsInputs inputs) => inputs.Use switch
    {
        TlsUse.Quic => ["h3"],
        TlsUse.Tcp when tls.Mode == Mode.IstioMutual => inputs.ExchangesPeers
            ? ["istio-peer-exchange", "h2", "http/1.1"] : ["h2", "http/1.1"],
        _ => ["h2", "http/1.1"],
    };

    private static void ApplyCredentials(CommonTlsContext common, ServerTLSSettings tls, ServerTlsInputs inputs)
    {
        IReadOnlyList<string> names = tls.CredentialNames.Count > 0 ? tls.CredentialNames : [tls.CredentialName];
        foreach (var name in names)
        {
            if (SecretConfigs.OfCredential(name, inputs.HasCredentialSocket, inputs.ExternalSecrets) is { } secret)
                common.TlsCertificateSdsSecretConfigs.Add(secret);
        }
        var context = new CertificateValidationContext();
        context.VerifyCertificateSpki.Add(tls.VerifyCertificateSpki);
        context.VerifyCertificateHash.Add(tls.VerifyCertificateHash);
        if (tls.Mode is Mode.Mutual or Mode.OptionalMutual)
        {
            AddNames(context, tls);
            // A credential of its own for the trust anchors is used under exactly its name.
            var ca = tls.CaCertCredentialName.Length > 0 ? CaResource(tls.CaCertCredentialName) : SecretConfigs.CaOf(names[0]);
            common.CombinedValidationContext = new CommonTlsContext.Types.CombinedCertificateValidationContext
            {
                DefaultValidationContext = context,
                ValidationContextSdsSecretConfig = SecretConfigs.OfCredential(ca, inputs.HasCredentialSocket, inputs.ExternalSecrets),
            };
        }
        else if (tls.SubjectAltNames.Count > 0)
        {
            var names2 = new CertificateValidationContext();
            AddNames(names2, tls);
            common.ValidationContext = names2;
        }
    }

    private static string CaResource(string name) =>
        name.Contains("://", StringComparison.Ordinal) && !name.EndsWith("-cacert", StringComparison.Ordinal)
            ? SecretConfigs.CaOf(name) : name;

    private static void ApplyFiles(CommonTlsContext common, ServerTLSSettings tls, bool validates)
    {
        var ca = tls.CaCertificates;
        if (tls.TlsCertificates.Count > 0)
        {
            foreach (var pair in tls.TlsCertificates)
            {
                if (ca.Length == 0) ca = pair.CaCertificates;
                common.TlsCertificateSdsSecretConfigs.Add(SecretConfigs.OfFiles(pair.ServerCertificate, pair.PrivateKey));
            }
            var none = new CommonTlsContext();
            ApplyWorkloadSecrets(none, ("", "", ca), tls.SubjectAltNames, [], tls.CaCrl, validates);
            if (validates) common.CombinedValidationContext = none.CombinedValidationContext;
            return;
        }
        ApplyWorkloadSecrets(common, (tls.ServerCertificate, tls.PrivateKey, ca), tls.SubjectAltNames, [], tls.CaCrl, validates);
    }

    private static void AddNames(CertificateValidationContext context, ServerTLSSettings tls)
    {
#pragma warning disable CS0612 // see ApplyWorkloadSecrets
        context.MatchSubjectAltNames.Add(tls.SubjectAltNames.Select(static n => new StringMatcher { Exact = n }));
#pragma warning restore CS0612
    }

    private static void ApplyOwnParameters(CommonTlsContext common, ServerTLSSettings tls)
    {
        if (Version(tls.MinProtocolVersion) is { } minimum) Parameters(common).TlsMinimumProtocolVersion = minimum;
        var ciphers = tls.CipherSuites.Where(KnownCiphers.Contains).Distinct().ToList();
        if (ciphers.Count > 0)
        {
            Parameters(common).CipherSuites.Clear();
            Parameters(common).CipherSuites.Add(ciphers);
        }
        if (tls.EcdhCurves.Count > 0)
        {
            Parameters(common).EcdhCurves.Clear();
            Parameters(common).EcdhCurves.Add(tls.EcdhCurves.Distinct());
        }
        if (Version(tls.MaxProtocolVersion) is { } maximum) Parameters(common).TlsMaximumProtocolVersion = maximum;
    }

    private static void AcceptUntrusted(CommonTlsContext common)
    {
        if (common.CombinedValidationContext?.DefaultValidationContext is { } context)
        {
            context.TrustChainVerification = CertificateValidationContext.Types.TrustChainVerification.AcceptUntrusted;
        }
    }

    /// <summary>Narrows versions, ciphers and curves to what a compliance policy allows.</summary>
    public static void Comply(CommonTlsContext common, string compliance)
    {
        switch (compliance)
        {
            case "fips-140-2":
                var fips = Parameters(common);
                fips.TlsMinimumProtocolVersion = TlsProtocol.Tlsv12;
                fips.TlsMaximumProtocolVersion = TlsProtocol.Tlsv12;
                // Lists that are not set are narrow enough in a build that complies.
                Keep(fips.CipherSuites, FipsCiphers);
                Keep(fips.EcdhCurves, ["P-256"]);
                break;
            case "pqc":
                var pqc = Parameters(common);
                pqc.TlsMinimumProtocolVersion = TlsProtocol.Tlsv13;
                pqc.TlsMaximumProtocolVersion = TlsProtocol.Tlsv13;
                pqc.CipherSuites.Clear();
                pqc.CipherSuites.Add(["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"]);
                pqc.EcdhCurves.Clear();
                pqc.EcdhCurves.Add("X25519MLKEM768");
                break;
            default:
                break;
        }
    }

    private static void Keep(Google.Protobuf.Collections.RepeatedField<string> values, string[] allowed)
    {
        var kept = values.Where(allowed.Contains).ToList();
        values.Clear();
        values.Add(kept);
    }

    private static TlsParameters Parameters(CommonTlsContext common) => common.TlsParams ??= new TlsParameters();

    private static TlsProtocol? MeshVersion(MeshConfig.Types.TLSConfig.Types.TLSProtocol version) => version switch
    {
        MeshConfig.Types.TLSConfig.Types.TLSProtocol.Tlsv12 => TlsProtocol.Tlsv12,
        MeshConfig.Types.TLSConfig.Types.TLSProtocol.Tlsv13 => TlsProtocol.Tlsv13,
        _ => null,
    };

    private static TlsProtocol? Version(IstioTlsProtocol version) => version switch
    {
        IstioTlsProtocol.Tlsv10 => TlsProtocol.Tlsv10,
        IstioTlsProtocol.Tlsv11 => TlsProtocol.Tlsv11,
        IstioTlsProtocol.Tlsv12 => TlsProtocol.Tlsv12,
        IstioTlsProtocol.Tlsv13 => TlsProtocol.Tlsv13,
        _ => null,
    };
}

/// <summary>What a server's TLS context depends on besides its own settings.</summary>
internal sealed record ServerTlsInputs(ProxyNode Node, MeshConfig Mesh, TlsUse Use)
{
    /// <summary>Compliance policy; empty for none.</summary>
    public string Compliance { get; init; } = "";

    /// <summary>The agent has a socket of an external secret provider.</summary>
    public bool HasCredentialSocket { get; init; }

    /// <summary>Cluster and authority of the mesh's external secret provider.</summary>
    public (string Cluster, string Authority)? ExternalSecrets { get; init; }

    /// <summary>Offers the protocol of the peer metadata exchange.</summary>
    public bool ExchangesPeers { get; init; } = true;
}
