using Envoy.Extensions.TransportSockets.InternalUpstream.V3;
using Envoy.Extensions.TransportSockets.ProxyProtocol.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Lateen.Proxy.Filters.CredentialInjector;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Tls;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds;

/// <summary>TLS contexts, with their secrets by value, by file or by name (SDS). A context that names secrets is made when they have come,
/// and anew when one changes.</summary>
internal sealed class TlsTranslator(Action<Core.ConfigSource?, string> subscribe) : SecurityTranslator
{
    private readonly Dictionary<string, Secret> _secrets = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<Awaiting>> _awaiting = new(StringComparer.Ordinal);

    private readonly Dictionary<string, SecretText> _texts = new(StringComparer.Ordinal);

    /// <summary>A context that depends on secrets.</summary>
    private sealed record Awaiting(TlsSource Source, Func<Rejections, TlsOptions?> Make);

    private readonly List<WeakReference<TlsSource>> _sources = [];

    /// <summary>The contexts that something uses.</summary>
    public IEnumerable<TlsOptions> InUse
    {
        get
        {
            _sources.RemoveAll(s => !s.TryGetTarget(out _));
            return [.. _sources.Select(s => s.TryGetTarget(out TlsSource? source) ? source.Current?.Options : null).OfType<TlsOptions>()];
        }
    }

    private readonly Dictionary<string, long> _missing = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, long Patience)> TakeAwaited()
    {
        List<(string, long)> missing = [.. _missing.Select(m => (m.Key, m.Value))];
        _missing.Clear();
        return missing;
    }

    /// <inheritdoc/>
    public override bool HasSecret(string name) => _secrets.ContainsKey(name);

    /// <summary>Secrets as they came, by name.</summary>
    public IReadOnlyDictionary<string, Secret> Secrets => _secrets;

    /// <inheritdoc/>
    public override UpstreamSecurity? Upstream(Core.TransportSocket? socket, Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In("transport_socket");
        switch (socket?.TypedConfig is { } any ? ValueTranslator.TypeName(any) : "")
        {
            case "" or "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer":
                return null;
            case "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext":
                UpstreamTlsContext? context = ValueTranslator.Unpack(socket!.TypedConfig, UpstreamTlsContext.Parser, rejections);
                return context is null ? null
                    : new TlsUpstream(Source(context.CommonTlsContext, rejections,
                        (common, r) => Options(common, r, isServer: false) is { } o
                            ? o with { Sni = context.Sni, Resumption = (context.MaxSessionKeys ?? 1) > 0 }
                            : null)) { AutoHostSni = context.AutoHostSni, AutoSanFromSni = context.AutoSniSanValidation };
            case "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport":
                return Upstream(ValueTranslator.Unpack(socket!.TypedConfig, ProxyProtocolUpstreamTransport.Parser,
                    rejections)?.TransportSocket, rejections);
            case "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport":
                return Internal(ValueTranslator.Unpack(socket!.TypedConfig, InternalUpstreamTransport.Parser, rejections), rejections);
            default:
                rejections.Add($"transport socket {socket!.Name} ({socket.TypedConfig.TypeUrl}) is not served");
                return null;
        }
    }

    private Lateen.Proxy.Upstream.InternalSecurity? Internal(InternalUpstreamTransport? internals, Rejections rejections)
    {
        if (internals is null)
            return null;
        List<string> ofHost = [], ofCluster = [];
        foreach (InternalUpstreamTransport.Types.MetadataValueSource source in internals.PassthroughMetadata)
        {
            if (source.Kind?.Host is not null)
                ofHost.Add(source.Name);
            else if (source.Kind?.Cluster is not null)
                ofCluster.Add(source.Name);
            else
                rejections.Add($"passthrough_metadata {source.Name}: only metadata of hosts and clusters can be passed");
        }
        return new Lateen.Proxy.Upstream.InternalSecurity(Upstream(internals.TransportSocket, rejections), ofHost, ofCluster);
    }

    /// <inheritdoc/>
    public override DownstreamSecurity? Downstream(Core.TransportSocket? socket, Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In("transport_socket");
        switch (socket?.TypedConfig is { } any ? ValueTranslator.TypeName(any) : "")
        {
            case "" or "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer":
                return null;
            case "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext":
                DownstreamTlsContext? context = ValueTranslator.Unpack(socket!.TypedConfig, DownstreamTlsContext.Parser, rejections);
                return context is null ? null
                    : new TlsDownstream(
                        Source(context.CommonTlsContext, rejections, (common, r) => Options(common, r, isServer: true) is { } o
                            ? o with
                            {
                                RequireClientCertificate = context.RequireClientCertificate ?? false,
                                Resumption = !context.DisableStatelessSessionResumption,
                            }
                            : null), context.RequireSni ?? false);
            case "envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport":
                rejections.Add("QUIC is not served");
                return null;
            default:
                rejections.Add($"transport socket {socket!.Name} ({socket.TypedConfig.TypeUrl}) is not served");
                return null;
        }
    }

    /// <inheritdoc/>
    public override ProxyHeaderOptions? ProxyHeader(Core.TransportSocket? socket, Rejections rejections)
    {
        if (socket?.TypedConfig is not { } any
            || ValueTranslator.TypeName(any) != "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport")
            return null;
        Core.ProxyProtocolConfig config = ValueTranslator.Unpack(any, ProxyProtocolUpstreamTransport.Parser, rejections)?.Config ?? new();
        return new ProxyHeaderOptions(
            config.Version == Core.ProxyProtocolConfig.Types.Version.V2 ? 2 : 1,
            config.PassThroughTlvs is not { } passed
                ? null : passed.MatchType == Core.ProxyProtocolPassThroughTLVs.Types.PassTLVsMatchType.IncludeAll
                ? [] : [.. passed.TlvType.Select(t => (int)t)],
            [.. config.AddedTlvs.Select(t => ((byte)t.Type, t.Value.ToByteArray()))]);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, string Reason)> TakeSecrets(IReadOnlyList<IncomingResource> resources,
        IReadOnlyList<string> removed)
    {
        var refused = new List<(string, string)>();
        foreach (IncomingResource resource in resources)
        {
            var rejections = new Rejections();
            if (ValueTranslator.Unpack(resource.Body, Secret.Parser, rejections) is { } secret)
            {
                Take(secret, rejections);
                WatchFiles(secret);
            }
            if (!rejections.None)
                refused.Add((resource.Name, rejections.ToString()));
        }
        return refused;
    }

    /// <summary>Calls back whenever a file is replaced: path, folder to watch (empty for its own), what to do. Null watches none.</summary>
    public Action<string, string, Action>? Watch { get; set; }

    // Files that a discovered secret names may change without another word of its source: contexts are made anew then, and keep what they
    // have where the files are not good (yet).
    private void WatchFiles(Secret secret)
    {
        string folder = (secret.TlsCertificate?.WatchedDirectory ?? secret.ValidationContext?.WatchedDirectory)?.Path ?? "";
        Core.DataSource?[] sources = [secret.TlsCertificate?.CertificateChain, secret.TlsCertificate?.PrivateKey,
            secret.ValidationContext?.TrustedCa, secret.ValidationContext?.Crl];
        foreach (Core.DataSource? source in sources)
        {
            if (source?.Filename is { Length: > 0 } path)
                Watch?.Invoke(path, folder, () => Renew(secret.Name));
        }
    }

    private void Renew(string name)
    {
        if (_secrets.TryGetValue(name, out Secret? secret))
            Take(secret, new Rejections());
    }

    /// <summary>Takes a secret (of the bootstrap, or by SDS); the contexts that wait for it are made.</summary>
    public void Take(Secret secret, Rejections rejections)
    {
        Secret? before = _secrets.GetValueOrDefault(secret.Name);
        _secrets[secret.Name] = secret;
        foreach (Awaiting awaiting in _awaiting.GetValueOrDefault(secret.Name) ?? [])
            Renew(awaiting, rejections);
        if (secret.GenericSecret is { } generic && _texts.TryGetValue(secret.Name, out SecretText? text))
            text.Bytes = ValueTranslator.Data(generic.Secret, rejections);
        if (!rejections.None && before is not null)
            _secrets[secret.Name] = before;
    }

    /// <inheritdoc/>
    public override SecretText SecretText(SdsSecretConfig config)
    {
        if (_texts.TryGetValue(config.Name, out SecretText? known))
            return known;
        var text = _texts[config.Name] = new SecretText();
        if (_secrets.TryGetValue(config.Name, out Secret? secret))
            text.Bytes = ValueTranslator.Data(secret.GenericSecret?.Secret, new Rejections());
        else
            subscribe(config.SdsConfig, config.Name);
        return text;
    }

    private TlsSource Source(CommonTlsContext? common, Rejections rejections, Func<CommonTlsContext, Rejections, TlsOptions?> make)
    {
        common ??= new CommonTlsContext();
        var awaiting = new Awaiting(new TlsSource(), r => make(common, r));
        _sources.Add(new WeakReference<TlsSource>(awaiting.Source));
        List<SdsSecretConfig> named = [.. common.TlsCertificateSdsSecretConfigs];
        if ((common.ValidationContextSdsSecretConfig
            ?? common.CombinedValidationContext?.ValidationContextSdsSecretConfig) is { } validation)
            named.Add(validation);
        foreach (SdsSecretConfig secret in named)
        {
            if (!_awaiting.TryGetValue(secret.Name, out List<Awaiting>? list))
                _awaiting[secret.Name] = list = [];
            list.Add(awaiting);
            if (!_secrets.ContainsKey(secret.Name))
                _missing[secret.Name] = ValueTranslator.Micros(secret.SdsConfig?.InitialFetchTimeout, 15_000_000);
            if (!_secrets.ContainsKey(secret.Name))
                subscribe(secret.SdsConfig, secret.Name);
        }
        if (common.CustomHandshaker is not null)
            rejections.Add("custom_handshaker is not served");
        if (named.TrueForAll(s => _secrets.ContainsKey(s.Name)))
            Renew(awaiting, rejections);
        return awaiting.Source;
    }

    private static void Renew(Awaiting awaiting, Rejections rejections)
    {
        // What cannot be read leaves the context as it is.
        if (awaiting.Make(rejections) is not { } options || !rejections.None)
            return;
        if (TlsContext.Create(options, out string error) is { } context)
            awaiting.Source.Current = context;
        else
            rejections.Add(error);
        awaiting.Source.Failure = error;
    }

    // Null while a secret that is named has not come.
    private TlsOptions? Options(CommonTlsContext common, Rejections rejections, bool isServer)
    {
        var certificates = new List<Tls.TlsCertificate>();
        foreach (SdsSecretConfig named in common.TlsCertificateSdsSecretConfigs)
        {
            if (!_secrets.TryGetValue(named.Name, out Secret? secret))
                return null;
            Add(certificates, secret.TlsCertificate, rejections);
        }
        foreach (Envoy.Extensions.TransportSockets.Tls.V3.TlsCertificate certificate in common.TlsCertificates)
            Add(certificates, certificate, rejections);
        CertificateValidationContext? validation = common.ValidationContext ?? common.CombinedValidationContext?.DefaultValidationContext;
        if ((common.ValidationContextSdsSecretConfig
            ?? common.CombinedValidationContext?.ValidationContextSdsSecretConfig) is { } reference)
        {
            if (!_secrets.TryGetValue(reference.Name, out Secret? secret))
                return null;
            // What the secret says is laid over the default: lists are appended, fields replaced (protobuf's merge, as Envoy does).
            CertificateValidationContext merged = validation?.Clone() ?? new CertificateValidationContext();
            merged.MergeFrom(secret.ValidationContext ?? new CertificateValidationContext());
            validation = merged;
        }
        return new TlsOptions
        {
            IsServer = isServer,
            Certificates = certificates,
            Validation = Validation(validation, rejections),
            Alpn = [.. common.AlpnProtocols],
            VersionMin = Version(common.TlsParams?.TlsMinimumProtocolVersion ?? TlsParameters.Types.TlsProtocol.TlsAuto),
            VersionMax = Version(common.TlsParams?.TlsMaximumProtocolVersion ?? TlsParameters.Types.TlsProtocol.TlsAuto),
            Ciphers = [.. common.TlsParams?.CipherSuites ?? []],
            Curves = [.. common.TlsParams?.EcdhCurves ?? []],
        };
    }

    private static void Add(List<Tls.TlsCertificate> certificates, Envoy.Extensions.TransportSockets.Tls.V3.TlsCertificate? message,
        Rejections rejections)
    {
        if (message is null)
            return;
        if (message.Pkcs12 is not null || message.PrivateKeyProvider is not null)
            rejections.Add("pkcs12 and private_key_provider are not served: give certificate_chain and private_key");
        int before = rejections.Reasons.Count;
        byte[]? chain = ValueTranslator.Data(message.CertificateChain, rejections),
            key = ValueTranslator.Data(message.PrivateKey, rejections);
        if (chain is null || key is null)
        {
            // What can't be read has been named.
            if (rejections.Reasons.Count == before)
                rejections.Add($"Failed to load {(chain is null ? "certificate chain" : "private key")} from <inline>");
            return;
        }
        string? password = ValueTranslator.Data(message.Password, rejections) is { Length: > 0 } p
            ? System.Text.Encoding.UTF8.GetString(p) : null;
        certificates.Add(new Tls.TlsCertificate(chain, key, password) { Origin = OriginOf(message.CertificateChain) });
    }

    private static string OriginOf(Core.DataSource? source) => source?.Filename is { Length: > 0 } file ? file : "<inline>";

    private static TlsValidation? Validation(CertificateValidationContext? v, Rejections rejections)
    {
        if (v is null)
            return null;
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> domains = new Dictionary<string, ReadOnlyMemory<byte>>();
        if (v.CustomValidatorConfig is { } custom)
            domains = TrustDomains(custom, rejections);
        List<SanMatch> sans = [.. v.MatchTypedSubjectAltNames.Select(m => San((SanKind)(m.SanType switch
        {
            SubjectAltNameMatcher.Types.SanType.Email => SanKind.Email,
            SubjectAltNameMatcher.Types.SanType.Dns => SanKind.Dns,
            SubjectAltNameMatcher.Types.SanType.Uri => SanKind.Uri,
            SubjectAltNameMatcher.Types.SanType.IpAddress => SanKind.Ip,
            _ => SanKind.Any,
        }), m.Matcher, rejections)).OfType<SanMatch>()];
#pragma warning disable CS0612 // istiod of today still sends match_subject_alt_names to older proxies
        sans.AddRange(v.MatchSubjectAltNames.Select(m => San(SanKind.Any, m, rejections)).OfType<SanMatch>());
#pragma warning restore CS0612
        return new TlsValidation
        {
            Origin = OriginOf(v.TrustedCa),
            TrustedCa = ValueTranslator.Data(v.TrustedCa, rejections) ?? (v.SystemRootCerts is not null ? SystemRoots(rejections) : []),
            TrustDomains = domains,
            Sans = sans,
            Crl = ValueTranslator.Data(v.Crl, rejections) ?? [],
            CrlForLeafOnly = v.OnlyVerifyLeafCertCrl,
            AcceptUntrusted = v.TrustChainVerification == CertificateValidationContext.Types.TrustChainVerification.AcceptUntrusted,
            AllowExpired = v.AllowExpiredCertificate,
            KeyPins = [.. v.VerifyCertificateSpki],
            CertificatePins = [.. v.VerifyCertificateHash],
            DepthMax = (int)(v.MaxVerifyDepth ?? 0),
        };
    }

    private static byte[] SystemRoots(Rejections rejections)
    {
        const string Bundle = "/etc/ssl/certs/ca-certificates.crt";
        if (File.Exists(Bundle))
            return File.ReadAllBytes(Bundle);
        rejections.Add($"system_root_certs: there is no {Bundle}");
        return [];
    }

    private static SanMatch? San(SanKind kind, Envoy.Type.Matcher.V3.StringMatcher matcher, Rejections rejections) =>
        MatcherTranslator.String(matcher, rejections) is { } match ? new SanMatch(kind, match) : null;

    private static Dictionary<string, ReadOnlyMemory<byte>> TrustDomains(Core.TypedExtensionConfig custom, Rejections rejections)
    {
        var domains = new Dictionary<string, ReadOnlyMemory<byte>>();
        if (ValueTranslator.TypeName(custom.TypedConfig) != "envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig")
        {
            rejections.Add($"custom_validator_config {custom.Name} is not served");
            return domains;
        }
        var config = ValueTranslator.Unpack(custom.TypedConfig, SPIFFECertValidatorConfig.Parser, rejections);
        foreach (SPIFFECertValidatorConfig.Types.TrustDomain domain in config?.TrustDomains ?? [])
            domains[domain.Name] = ValueTranslator.Data(domain.TrustBundle, rejections) ?? [];
        return domains;
    }

    private static TlsVersion Version(TlsParameters.Types.TlsProtocol version) => version switch
    {
        TlsParameters.Types.TlsProtocol.Tlsv10 => TlsVersion.Tls10,
        TlsParameters.Types.TlsProtocol.Tlsv11 => TlsVersion.Tls11,
        TlsParameters.Types.TlsProtocol.Tlsv12 => TlsVersion.Tls12,
        TlsParameters.Types.TlsProtocol.Tlsv13 => TlsVersion.Tls13,
        _ => TlsVersion.Auto,
    };
}
