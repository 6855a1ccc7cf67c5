using System.Collections.Immutable;
using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Extensions.TransportSockets.InternalUpstream.V3;
using Envoy.Extensions.TransportSockets.ProxyProtocol.V3;
using Envoy.Extensions.TransportSockets.RawBuffer.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Envoy.Type.Matcher.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Meaning;
using TlsMode = Istio.Networking.V1Alpha3.ClientTLSSettings.Types.TLSmode;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>How a cluster's connections are secured: mesh TLS where both sides can, the user's TLS where a rule says so.</summary>
internal static class UpstreamTls
{
    public const string TlsSocket = "envoy.transport_sockets.tls";
    public const string RawBufferSocket = "envoy.transport_sockets.raw_buffer";

    private static readonly string[] MeshAlpn = ["istio-peer-exchange", "istio"];
    private static readonly string[] MeshAlpnHttp2 = ["istio-peer-exchange", "istio", "h2"];
    private static readonly string[] MeshAlpnPlain = ["istio"];
    private static readonly string[] MeshAlpnPlainHttp2 = ["istio", "h2"];

    public static void Apply(ClusterDraft draft, OutboundClusterInputs inputs, ClientTLSSettings? byRule, MtlsMode serviceMode, string sni,
        bool ruleHasSelector)
    {
        var (tls, isAutomatic) = Settings(inputs, byRule, serviceMode, sni);
        if (tls is not null && Context(draft, inputs, tls, ruleHasSelector) is { } context)
        {
            Compliance(context.CommonTlsContext, inputs.Settings);
            draft.Cluster.TransportSocket = new TransportSocket { Name = TlsSocket, TypedConfig = WireAny.Pack(context) };
        }
        if (inputs.Client.SendsHbone) HboneMatches(draft, tls, isAutomatic);
        else if (isAutomatic && !draft.IsOriginalDestination) AutomaticMatches(draft.Cluster);
    }

    /// <summary>A waypoint's way to a service: through its own tunnel, which hands on what is known of the endpoint; TLS where a rule asks
    /// for it.</summary>
    public static void ApplyVip(ClusterDraft draft, OutboundClusterInputs inputs, ClientTLSSettings? byRule)
    {
        var inner = RawBuffer("raw_buffer");
        if (byRule is { Mode: not (TlsMode.Disable or TlsMode.IstioMutual) } && Context(draft, inputs, byRule, false) is { } context)
        {
            Compliance(context.CommonTlsContext, inputs.Settings);
            inner = new TransportSocket { Name = "tls", TypedConfig = WireAny.Pack(context) };
        }
        draft.Cluster.TransportSocket = new TransportSocket
        {
            Name = "internal_upstream",
            TypedConfig = WireAny.Pack(new InternalUpstreamTransport
            {
                PassthroughMetadata = { OfHost("envoy.filters.listener.original_dst"), OfHost("istio") },
                TransportSocket = inner,
            }),
        };
    }

    private static InternalUpstreamTransport.Types.MetadataValueSource OfHost(string name) =>
        new() { Name = name, Kind = new Envoy.Type.Metadata.V3.MetadataKind { Host = new() } };

    public static TransportSocket RawBuffer(string name = RawBufferSocket) =>
        new() { Name = name, TypedConfig = WireAny.Pack(new RawBuffer()) };

    /// <summary>Wraps whatever the cluster uses in the PROXY protocol.</summary>
    public static void ApplyProxyProtocol(Cluster cluster, TrafficPolicy.Types.ProxyProtocol? protocol)
    {
        if (protocol is null) return;
        if (cluster.TransportSocket is null && cluster.TransportSocketMatches.Count == 0)
        {
            cluster.TransportSocket = Wrapped(RawBuffer("raw_buffer"), protocol);
            return;
        }
        if (cluster.TransportSocket is not null) cluster.TransportSocket = Wrapped(cluster.TransportSocket, protocol);
        foreach (var match in cluster.TransportSocketMatches) match.TransportSocket = Wrapped(match.TransportSocket, protocol);
    }

    /// <summary>A secret that the agent serves.</summary>
    public static SdsSecretConfig AgentSecret(string name) => new()
    {
        Name = name,
        SdsConfig = new ConfigSource
        {
            ApiConfigSource = AgentSource(),
            ResourceApiVersion = ApiVersion.V3,
            InitialFetchTimeout = new Duration(),
        },
    };

    private static SdsSecretConfig FileSecret(string name) => new()
    {
        Name = name,
        SdsConfig = new ConfigSource { ApiConfigSource = AgentSource(), ResourceApiVersion = ApiVersion.V3 },
    };

    private static SdsSecretConfig ControlPlaneSecret(string name) => new()
    {
        Name = name,
        SdsConfig = new ConfigSource { Ads = new AggregatedConfigSource(), ResourceApiVersion = ApiVersion.V3 },
    };

    private static ApiConfigSource AgentSource() => new()
    {
        ApiType = ApiConfigSource.Types.ApiType.Grpc,
        SetNodeOnFirstMessageOnly = true,
        TransportApiVersion = ApiVersion.V3,
        GrpcServices = { new Envoy.Config.Core.V3.GrpcService { EnvoyGrpc = new() { ClusterName = "sds-grpc" } } },
    };

    // The user's settings where there are any; else mesh TLS where automatic mTLS is on and the service takes part.
    internal static (ClientTLSSettings? Tls, bool IsAutomatic) Settings(OutboundClusterInputs inputs, ClientTLSSettings? byRule,
        MtlsMode serviceMode, string sni)
    {
        var files = inputs.Client.ClientCertificates;
        if (byRule is not null)
        {
            if (byRule.Mode is TlsMode.Disable or TlsMode.Simple) return (byRule, false);
            if (files is not null && !inputs.Service.MeshExternal) return (ByFiles(files, byRule.SubjectAltNames, byRule.Sni), false);
            if (byRule.Mode != TlsMode.IstioMutual) return (byRule, false);
            return (Mesh(byRule.SubjectAltNames.Count > 0 ? byRule.SubjectAltNames : inputs.Identities,
                byRule.Sni.Length > 0 ? byRule.Sni : sni), false);
        }
        var isOff = inputs.Service.MeshExternal || inputs.Settings.Mesh.EnableAutoMtls == false
            || serviceMode is MtlsMode.Unknown or MtlsMode.Disable;
        if (isOff) return (null, false);
        return files is not null ? (ByFiles(files, inputs.Identities, sni), true) : (Mesh(inputs.Identities, sni), true);
    }

    private static ClientTLSSettings Mesh(IEnumerable<string> identities, string sni) =>
        new() { Mode = TlsMode.IstioMutual, Sni = sni, SubjectAltNames = { identities } };

    private static ClientTLSSettings ByFiles(ClientCertificateFiles files, IEnumerable<string> identities, string sni) => new()
    {
        Mode = TlsMode.Mutual,
        ClientCertificate = files.CertChain,
        PrivateKey = files.Key,
        CaCertificates = files.RootCert,
        Sni = sni,
        SubjectAltNames = { identities },
    };

    internal static UpstreamTlsContext? Context(ClusterDraft draft, OutboundClusterInputs inputs, ClientTLSSettings tls,
        bool ruleHasSelector)
    {
        // A sidecar asks for a named secret only when the rule is for it alone: every other one would wait for what it may not read.
        var isPrivileged = tls.CredentialName.Length > 0 && !tls.CredentialName.StartsWith("configmap://", StringComparison.Ordinal)
            && tls.CredentialName != "invalid://";
        if (isPrivileged && inputs.Client.IsSidecar && !ruleHasSelector && tls.Mode is TlsMode.Simple or TlsMode.Mutual)
        {
            return null;
        }
        return tls.Mode switch
        {
            TlsMode.IstioMutual => MeshContext(draft, inputs, tls),
            TlsMode.Simple => UserContext(draft, inputs, tls, isMutual: false),
            TlsMode.Mutual => UserContext(draft, inputs, tls, isMutual: true),
            _ => null,
        };
    }

    private static UpstreamTlsContext MeshContext(ClusterDraft draft, OutboundClusterInputs inputs, ClientTLSSettings tls)
    {
        var context = New(tls.Sni.Length > 0 ? tls.Sni : draft.Cluster.Name);
        var common = context.CommonTlsContext;
        common.TlsCertificateSdsSecretConfigs.Add(AgentSecret("default"));
        common.CombinedValidationContext = new()
        {
            DefaultValidationContext = Names(tls.SubjectAltNames),
            ValidationContextSdsSecretConfig = AgentSecret("ROOTCA"),
        };
        var exchanges = inputs.Settings.Features.MetadataExchange && !inputs.Settings.Features.DisableMetadataExchangeAlpn;
        common.AlpnProtocols.Add((draft.IsHttp2, exchanges) switch
        {
            (true, true) => MeshAlpnHttp2,
            (true, false) => MeshAlpnPlainHttp2,
            (false, true) => MeshAlpn,
            _ => MeshAlpnPlain,
        });
        return context;
    }

    private static UpstreamTlsContext? UserContext(ClusterDraft draft, OutboundClusterInputs inputs, ClientTLSSettings tls, bool isMutual)
    {
        var context = New(tls.Sni);
        var common = context.CommonTlsContext;
        AutomaticSni(draft, tls);
        IEnumerable<string> names = tls.SubjectAltNames;
        if (tls.SubjectAltNames.Count == 0 && inputs.Service.Source == Registry.ServiceSource.ServiceEntry) names = inputs.Identities;

        if (tls.CredentialName.Length > 0) ByCredential(common, tls, names, isMutual);
        else if (!ByFiles(common, tls, names, isMutual)) return null;

        if (inputs.Settings.Mesh.TlsDefaults is { } defaults)
        {
            common.TlsParams.EcdhCurves.Add(defaults.EcdhCurves);
            common.TlsParams.CipherSuites.Add(defaults.CipherSuites);
        }
        if (draft.IsHttp2) common.AlpnProtocols.Add("h2");
        return context;
    }

    private static void ByCredential(CommonTlsContext common, ClientTLSSettings tls, IEnumerable<string> names, bool isMutual)
    {
        var name = tls.CredentialName;
        var isConfigMap = name.StartsWith("configmap://", StringComparison.Ordinal);
        var resource = isConfigMap || name.Contains("://", StringComparison.Ordinal) ? name : "kubernetes://" + name;
        if (isMutual) common.TlsCertificateSdsSecretConfigs.Add(ControlPlaneSecret(resource));
        if (tls.InsecureSkipVerify == true) return;
        common.CombinedValidationContext = new()
        {
            DefaultValidationContext = Names(names),
            ValidationContextSdsSecretConfig = ControlPlaneSecret(resource.EndsWith("-cacert", StringComparison.Ordinal)
                ? resource : resource + "-cacert"),
        };
    }

    private static bool ByFiles(CommonTlsContext common, ClientTLSSettings tls, IEnumerable<string> names, bool isMutual)
    {
        if (isMutual)
        {
            if (tls.ClientCertificate.Length == 0 || tls.PrivateKey.Length == 0) return false;
            common.TlsCertificateSdsSecretConfigs.Add(FileSecret($"file-cert:{tls.ClientCertificate}~{tls.PrivateKey}"));
        }
        if (tls.InsecureSkipVerify == true)
        {
            common.ValidationContext = new CertificateValidationContext();
            return true;
        }
        var validation = Names(names);
        if (tls.CaCrl.Length > 0) validation.Crl = new DataSource { Filename = tls.CaCrl };
        common.CombinedValidationContext = new()
        {
            DefaultValidationContext = validation,
            ValidationContextSdsSecretConfig = FileSecret("file-root:" + (tls.CaCertificates.Length > 0 ? tls.CaCertificates : "system")),
        };
        return true;
    }

    // Without an SNI of its own it follows the request's host; without names of its own those of that host are checked.
    private static void AutomaticSni(ClusterDraft draft, ClientTLSSettings tls)
    {
        if (tls.Sni.Length > 0) return;
        var options = draft.HttpOptions.UpstreamHttpProtocolOptions ??= new UpstreamHttpProtocolOptions();
        options.AutoSni = true;
        if (tls.SubjectAltNames.Count == 0 && tls.InsecureSkipVerify != true) options.AutoSanValidation = true;
    }

    private static UpstreamTlsContext New(string sni) => new()
    {
        Sni = sni,
        CommonTlsContext = new()
        {
            TlsParams = new()
            {
                TlsMinimumProtocolVersion = TlsParameters.Types.TlsProtocol.Tlsv12,
                TlsMaximumProtocolVersion = TlsParameters.Types.TlsProtocol.Tlsv13,
            },
        },
    };

#pragma warning disable CS0612 // The untyped list is what istiod sends and what clients of all versions read.
    private static CertificateValidationContext Names(IEnumerable<string> names) =>
        new() { MatchSubjectAltNames = { names.Select(name => new StringMatcher { Exact = name }) } };
#pragma warning restore CS0612

    private static void Compliance(CommonTlsContext common, MeshSettings settings)
    {
        if (settings.Features.CompliancePolicy != "fips-140-2") return;
        // The validated module of the proxy brings its own ciphers and curves; only the version has to be held down.
        common.TlsParams.TlsMaximumProtocolVersion = TlsParameters.Types.TlsProtocol.Tlsv12;
    }

    private static void AutomaticMatches(Cluster cluster)
    {
        var socket = cluster.TransportSocket;
        cluster.TransportSocket = null;
        cluster.TransportSocketMatches.Add(
        [
            new() { Name = "tlsMode-istio", Match = WireAny.Struct(("tlsMode", Value.ForString("istio"))), TransportSocket = socket },
            Plain(),
        ]);
    }

    private static void HboneMatches(ClusterDraft draft, ClientTLSSettings? tls, bool isAutomatic)
    {
        var cluster = draft.Cluster;
        if (tls is not null && draft.IsOriginalDestination) return;
        var socket = cluster.TransportSocket;
        cluster.TransportSocket = null;
        if (tls is null || socket is null)
        {
            cluster.TransportSocketMatches.Add([Hbone(RawBuffer()), Plain()]);
        }
        else if (isAutomatic || tls.Mode == TlsMode.IstioMutual)
        {
            var match = new Cluster.Types.TransportSocketMatch { Name = "tlsMode-istio", TransportSocket = socket };
            cluster.TransportSocketMatches.Add([Hbone(RawBuffer()), match]);
            if (!isAutomatic) return;
            match.Match = WireAny.Struct(("tlsMode", Value.ForString("istio")));
            cluster.TransportSocketMatches.Add(Plain());
        }
        else
        {
            cluster.TransportSocketMatches.Add([Hbone(socket), new() { Name = "user", TransportSocket = socket }]);
        }
    }

    private static Cluster.Types.TransportSocketMatch Plain() =>
        new() { Name = "tlsMode-disabled", Match = new Struct(), TransportSocket = RawBuffer() };

    private static Cluster.Types.TransportSocketMatch Hbone(TransportSocket inner) => new()
    {
        Name = "hbone",
        Match = WireAny.Struct(("tunnel", Value.ForString("http"))),
        TransportSocket = InternalUpstream("envoy.transport_sockets.internal_upstream", inner, withCluster: true),
    };

    /// <summary>A socket to a listener inside the proxy that hands on the destination and what is known of both sides.</summary>
    public static TransportSocket InternalUpstream(string name, TransportSocket inner, bool withCluster)
    {
        var transport = new InternalUpstreamTransport { TransportSocket = inner };
        transport.PassthroughMetadata.Add(
            new InternalUpstreamTransport.Types.MetadataValueSource { Kind = HostKind(), Name = "envoy.filters.listener.original_dst" });
        if (withCluster) transport.PassthroughMetadata.Add(
            new InternalUpstreamTransport.Types.MetadataValueSource { Kind = new() { Cluster = new() }, Name = "istio" });
        transport.PassthroughMetadata.Add(new InternalUpstreamTransport.Types.MetadataValueSource { Kind = HostKind(), Name = "istio" });
        return new() { Name = name, TypedConfig = WireAny.Pack(transport) };
    }

    private static Envoy.Type.Metadata.V3.MetadataKind HostKind() => new() { Host = new() };

    private static TransportSocket Wrapped(TransportSocket inner, TrafficPolicy.Types.ProxyProtocol protocol) => new()
    {
        Name = "envoy.transport_sockets.upstream_proxy_protocol",
        TypedConfig = WireAny.Pack(new ProxyProtocolUpstreamTransport
        {
            Config = new ProxyProtocolConfig { Version = (ProxyProtocolConfig.Types.Version)protocol.Version },
            TransportSocket = inner,
        }),
    };
}
