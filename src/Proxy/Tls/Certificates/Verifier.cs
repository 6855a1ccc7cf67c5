using System.Security.Cryptography;
using System.Text;

namespace Lateen.Proxy.Tls.Certificates;

/// <summary>
/// Judges a peer's certificates: chain, validity, revocation, then names, then pins (Envoy's order). Immutable, made from
/// <see cref="TlsValidation"/>; one for all workers, since libcrypto's stores are safe to share for reading.
/// </summary>
internal sealed unsafe class Verifier
{
    // X509_V_FLAG_*: an intermediate may be an anchor; CRLs for the leaf, for all; the clock does not count.
    private const ulong PartialChain = 0x80000, CrlCheck = 4, CrlCheckAll = 8, NoCheckTime = 0x200000;

    // Not in libssl's table of alerts, so that it sends certificate_unknown, as Envoy does for its own refusals.
    private const int OwnRefusal = 1000;

    private const int DefaultDepth = 100;

    // Chains that are remembered: a server meets all of its callers, a context towards upstreams the endpoints of one service.
    private const int CallersKnown = 256, EndpointsKnown = 16;

    private const long MicrosPerSecond = 1_000_000;

    private readonly TlsValidation _options;
    private readonly Trust _trust;
    private readonly Dictionary<string, Trust> _domains;
    private readonly HashSet<string> _certificatePins = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _keyPins;
    private readonly KnownChains _known;

    private Verifier(TlsValidation options, bool isServer, Trust trust, Dictionary<string, Trust> domains)
    {
        (_options, _trust, _domains) = (options, trust, domains);
        _known = new KnownChains(isServer ? CallersKnown : EndpointsKnown);
        _keyPins = new HashSet<string>(options.KeyPins, StringComparer.Ordinal);
        foreach (string pin in options.CertificatePins)
            _certificatePins.Add(pin.Replace(":", "", StringComparison.Ordinal));
    }

    // Contexts come and go by rotation while sessions may be using them: the collector knows when the last one is gone.
    ~Verifier()
    {
        OpenSsl.X509_STORE_free(_trust.Store);
        foreach (Trust trust in _domains.Values)
            OpenSsl.X509_STORE_free(trust.Store);
    }

    public bool AcceptsUntrusted => _options.AcceptUntrusted;

    /// <summary>Makes one for either side. Null with a reason where a bundle cannot be read.</summary>
    public static Verifier? Create(TlsValidation options, bool isServer, Action<nint>? eachCa, out string error)
    {
        error = "";
        Trust trust = options.TrustedCa.IsEmpty ? default : TrustOf(options.TrustedCa.Span, options, eachCa);
        if (trust.Store == 0 && !options.TrustedCa.IsEmpty)
        {
            error = "Failed to load trusted CA certificates from <inline>";
            return null;
        }
        var domains = new Dictionary<string, Trust>(StringComparer.Ordinal);
        foreach ((string domain, ReadOnlyMemory<byte> bundle) in options.TrustDomains)
        {
            domains[domain] = TrustOf(bundle.Span, options, eachCa);
            if (domains[domain].Store == 0)
            {
                error = $"Failed to load trusted CA certificates of trust domain {domain}";
                return null;
            }
        }
        return new Verifier(options, isServer, trust, domains);
    }

    private static Trust TrustOf(ReadOnlySpan<byte> pem, TlsValidation options, Action<nint>? eachCa)
    {
        var lists = new List<nint>();
        List<nint>? certificates = Pem.Certificates(pem, lists);
        if (certificates is not { Count: > 0 } || Pem.Certificates(options.Crl.Span, lists) is null
            || (lists.Count == 0 && !options.Crl.IsEmpty))
        {
            OpenSsl.ERR_clear_error();
            return default;
        }
        nint store = OpenSsl.X509_STORE_new();
        foreach (nint certificate in certificates)
        {
            OpenSsl.X509_STORE_add_cert(store, certificate);
            eachCa?.Invoke(certificate);
            OpenSsl.X509_free(certificate);
        }
        foreach (nint list in lists)
        {
            OpenSsl.X509_STORE_add_crl(store, list);
            OpenSsl.X509_CRL_free(list);
        }
        ulong check = lists.Count == 0 ? 0 : options.CrlForLeafOnly ? CrlCheck : CrlCheck | CrlCheckAll;
        return new Trust(store, PartialChain | (options.AllowExpired ? NoCheckTime : 0) | check);
    }

    /// <summary>The chain that these certificates are (<see cref="PresentedChain.Of"/>).</summary>
    public PresentedChain Find(nint leaf, nint stack) => _known.Find(leaf, stack);

    /// <summary>
    /// The judgement inside a handshake. <paramref name="context"/> is libssl's X509_STORE_CTX, whose error decides the alert. True lets
    /// the handshake go on. That the peer has the leaf's key is libssl's to see, in each handshake.
    /// </summary>
    public bool Judge(nint context, bool peerIsClient, long wallClock, TlsConnectOptions wanted, out Verdict verdict)
    {
        nint leaf = OpenSsl.X509_STORE_CTX_get0_cert(context), stack = OpenSsl.X509_STORE_CTX_get0_untrusted(context);
        PresentedChain shown = _known.Find(leaf, stack);
        string detail = "";
        int error = shown.IsVouchedAt(wallClock / MicrosPerSecond)
            ? 0 : VerifyChain(leaf, stack, ref shown, peerIsClient, wallClock / MicrosPerSecond, out detail);
        if (error == 0 && !NamesSatisfy(shown.Names, wanted, out detail))
            error = OwnRefusal;
        if (error == 0 && !PinsSatisfy(shown))
        {
            detail = "verify cert failed: cert hash and spki";
            error = OwnRefusal;
        }
        verdict = new Verdict(shown, error == 0 && (_trust.Store != 0 || _domains.Count > 0 || _keyPins.Count + _certificatePins.Count > 0),
            detail);
        OpenSsl.X509_STORE_CTX_set_error(context, error);
        return error == 0 || _options.AcceptUntrusted;
    }

    private int VerifyChain(nint leaf, nint stack, ref PresentedChain shown, bool peerIsClient, long second, out string detail)
    {
        detail = "";
        Trust trust = _domains.Count > 0 ? TrustFor(shown.Names) : _trust;
        if (_domains.Count > 0 && trust.Store == 0)
        {
            detail = "verify cert failed: no trust bundle for the peer's trust domain";
            return OwnRefusal;
        }
        if (trust.Store == 0)
            return 0;
        nint context = OpenSsl.X509_STORE_CTX_new();
        OpenSsl.X509_STORE_CTX_init(context, trust.Store, leaf, stack);
        OpenSsl.X509_STORE_CTX_set_default(context, peerIsClient ? "ssl_client" : "ssl_server");
        nint parameters = OpenSsl.X509_STORE_CTX_get0_param(context);
        OpenSsl.X509_VERIFY_PARAM_set_flags(parameters, trust.Flags);
        OpenSsl.X509_VERIFY_PARAM_set_depth(parameters, _options.DepthMax > 0 ? _options.DepthMax : DefaultDepth);
        // A set time would count although the flag says that none does.
        if (!_options.AllowExpired)
            OpenSsl.X509_VERIFY_PARAM_set_time(parameters, second);
        int error = 0;
        if (OpenSsl.X509_verify_cert(context) == 1)
        {
            shown = (trust.Flags & CrlCheck) == 0 ? Vouch(shown, context, second) : shown;
        }
        else
        {
            error = OpenSsl.X509_STORE_CTX_get_error(context);
            detail = TlsFailures.Chain(error, OpenSsl.X509_STORE_CTX_get_error_depth(context));
        }
        OpenSsl.X509_STORE_CTX_free(context);
        OpenSsl.ERR_clear_error();
        return error;
    }

    // A path is as good as the first of its certificates that ends, its anchor included. Revocation lists have times of their own: where
    // there are any, they are asked each time.
    private PresentedChain Vouch(PresentedChain shown, nint context, long second)
    {
        long until = long.MaxValue;
        nint path = OpenSsl.X509_STORE_CTX_get0_chain(context);
        for (int i = 0; !_options.AllowExpired && i < OpenSsl.OPENSSL_sk_num(path); i++)
            until = Math.Min(until, CertificateNames.Read(Pem.Der(OpenSsl.OPENSSL_sk_value(path, i))).ValidTo);
        if (until <= second)
            return shown;
        PresentedChain vouched = shown.Vouched(_options.AllowExpired ? long.MinValue : second, until);
        _known.Keep(vouched);
        return vouched;
    }

    // SPIFFE X.509-SVID 2: exactly one URI name, spiffe://<trust domain>/<path>.
    private Trust TrustFor(CertificateNames names)
    {
        string[] uris = names.Of(SanKind.Uri);
        const string scheme = "spiffe://";
        if (uris.Length != 1 || !uris[0].StartsWith(scheme, StringComparison.Ordinal))
            return default;
        string rest = uris[0][scheme.Length..];
        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        return _domains.GetValueOrDefault(slash < 0 ? rest : rest[..slash]);
    }

    private bool NamesSatisfy(CertificateNames names, TlsConnectOptions options, out string detail)
    {
        IReadOnlyList<string>? wanted = options.Sans;
        detail = "";
        if (wanted is { Count: > 0 } && !names.Names.Any(n => wanted.Any(w => IsNamed(n, w))))
        {
            detail = options.SansAreConfigured ? $"verify cert failed: SAN matcher, certificate SANs are [{All(names)}]"
                : $"verify cert failed: verify SAN list, expected SANs: [{string.Join(", ", wanted)}], certificate SANs: [{All(names)}]";
            return false;
        }
        if (_options.Sans.Count > 0 && !names.Names.Any(n => _options.Sans.Any(m => Satisfies(n, m))))
        {
            detail = $"verify cert failed: SAN matcher, certificate SANs are [{All(names)}]";
            return false;
        }
        return true;
    }

    private static string All(CertificateNames names) => string.Join(", ", names.Names.Select(n => n.Text));

    private static bool IsNamed(SubjectName name, string wanted) => name.Kind == SanKind.Dns
        ? DnsNameCovers(name.Text, wanted)
        : string.Equals(name.Text, wanted, StringComparison.Ordinal);

    private static bool Satisfies(SubjectName name, SanMatch match)
    {
        if (match.Kind != SanKind.Any && match.Kind != name.Kind)
            return false;
        if (name.Kind == SanKind.Dns && match.Match.Kind == Routing.StringMatchKind.Exact)
            return DnsNameCovers(name.Text, match.Match.Written);
        return match.Match.Matches(Encoding.Latin1.GetBytes(name.Text));
    }

    /// <summary>True where a certificate's DNS name is that host, or a wildcard for exactly its first label (RFC 6125 6.4.3). No
    /// case.</summary>
    internal static bool DnsNameCovers(string pattern, string host)
    {
        if (string.Equals(pattern, host, StringComparison.OrdinalIgnoreCase))
            return true;
        if (!pattern.StartsWith("*.", StringComparison.Ordinal) || pattern.IndexOf('.', 2) < 0)
            return false;
        int dot = host.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && string.Equals(pattern[1..], host[dot..], StringComparison.OrdinalIgnoreCase);
    }

    private bool PinsSatisfy(PresentedChain shown)
    {
        if (_certificatePins.Count + _keyPins.Count == 0)
            return true;
        return _certificatePins.Contains(shown.Sha256) || _keyPins.Contains(Convert.ToBase64String(SHA256.HashData(shown.Names.PublicKey)));
    }

    /// <summary>An X509_STORE, and the flags that a path is verified with.</summary>
    private readonly record struct Trust(nint Store, ulong Flags);
}

/// <summary>What was found about a peer's certificates.</summary>
/// <param name="Shown">They themselves.</param>
/// <param name="Validated">The peer is who it claims to be.</param>
/// <param name="Detail">Why not; empty where it is.</param>
internal readonly record struct Verdict(PresentedChain Shown, bool Validated, string Detail)
{
    /// <summary>None was asked for.</summary>
    public static Verdict None { get; } = new(PresentedChain.None, false, "");
}
