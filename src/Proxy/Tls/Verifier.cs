using System.Security.Cryptography;
using System.Text;

namespace Lateen.Proxy.Tls;

/// <summary>
/// Judges a peer's certificates: chain, validity, revocation, then names, then pins (Envoy's order). Immutable, made from <see cref="TlsValidation"/>; one for all
/// workers, since libcrypto's stores are safe to share for reading.
/// </summary>
internal sealed unsafe class Verifier
{
    // X509_V_FLAG_*: an intermediate may be an anchor; CRLs for the leaf, for all; the clock does not count.
    private const ulong PartialChain = 0x80000, CrlCheck = 4, CrlCheckAll = 8, NoCheckTime = 0x200000;

    // Not in libssl's table of alerts, so that it sends certificate_unknown, as Envoy does for its own refusals.
    private const int OwnRefusal = 1000;

    private const int DefaultDepth = 100;

    private readonly TlsValidation _options;
    private readonly nint _store;
    private readonly Dictionary<string, nint> _domains = new(StringComparer.Ordinal);
    private readonly HashSet<string> _certificatePins = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _keyPins;
    private readonly ulong _flags;

    private Verifier(TlsValidation options, nint store, ulong flags)
    {
        _options = options;
        _store = store;
        _flags = flags;
        _keyPins = new HashSet<string>(options.KeyPins, StringComparer.Ordinal);
        foreach (string pin in options.CertificatePins)
            _certificatePins.Add(pin.Replace(":", "", StringComparison.Ordinal));
    }

    // Contexts come and go by rotation while sessions may be using them: the collector knows when the last one is gone.
    ~Verifier()
    {
        OpenSsl.X509_STORE_free(_store);
        foreach (nint store in _domains.Values)
            OpenSsl.X509_STORE_free(store);
    }

    public bool AcceptsUntrusted => _options.AcceptUntrusted;

    /// <summary>Makes one. Null with a reason where a bundle cannot be read.</summary>
    public static Verifier? Create(TlsValidation options, Action<nint>? eachCa, out string error)
    {
        error = "";
        ulong flags = PartialChain | (options.AllowExpired ? NoCheckTime : 0);
        nint store = 0;
        if (!options.TrustedCa.IsEmpty && (store = StoreOf(options.TrustedCa.Span, options, eachCa, ref flags)) == 0)
        {
            error = "Failed to load trusted CA certificates from <inline>";
            return null;
        }
        var verifier = new Verifier(options, store, flags);
        foreach ((string domain, ReadOnlyMemory<byte> bundle) in options.TrustDomains)
        {
            nint of = StoreOf(bundle.Span, options, eachCa, ref flags);
            if (of == 0)
            {
                error = $"Failed to load trusted CA certificates of trust domain {domain}";
                return null;
            }
            verifier._domains[domain] = of;
        }
        return verifier;
    }

    private static nint StoreOf(ReadOnlySpan<byte> pem, TlsValidation options, Action<nint>? eachCa, ref ulong flags)
    {
        var lists = new List<nint>();
        List<nint>? certificates = Pem.Certificates(pem, lists);
        if (certificates is not { Count: > 0 } || Pem.Certificates(options.Crl.Span, lists) is null || (lists.Count == 0 && !options.Crl.IsEmpty))
        {
            OpenSsl.ERR_clear_error();
            return 0;
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
            flags |= options.CrlForLeafOnly ? CrlCheck : CrlCheck | CrlCheckAll;
        }
        return store;
    }

    /// <summary>
    /// The judgement inside a handshake. <paramref name="context"/> is libssl's X509_STORE_CTX, whose error decides the alert. True lets the handshake go on; <paramref name="validated"/> tells
    /// whether the peer is who it claims to be; <paramref name="detail"/> says why not.
    /// </summary>
    public bool Judge(nint context, bool peerIsClient, long wallClock, TlsConnectOptions wanted, out bool validated, out string detail)
    {
        nint leaf = OpenSsl.X509_STORE_CTX_get0_cert(context);
        byte[] der = Pem.Der(leaf);
        CertificateNames names = CertificateNames.Read(der);
        nint chain = OpenSsl.X509_STORE_CTX_get0_untrusted(context);
        int error = VerifyChain(leaf, chain, names, peerIsClient, wallClock, out bool verified, out detail);
        if (error == 0 && !NamesSatisfy(names, wanted, out detail))
            error = OwnRefusal;
        if (error == 0 && !PinsSatisfy(der, names))
        {
            detail = "verify cert failed: cert hash and spki";
            error = OwnRefusal;
        }
        validated = error == 0 && (verified || _keyPins.Count + _certificatePins.Count > 0);
        OpenSsl.X509_STORE_CTX_set_error(context, error);
        return error == 0 || _options.AcceptUntrusted;
    }

    private int VerifyChain(nint leaf, nint chain, CertificateNames names, bool peerIsClient, long wallClock, out bool verified, out string detail)
    {
        detail = "";
        nint store = _store;
        verified = store != 0 || _domains.Count > 0;
        if (_domains.Count > 0 && (store = StoreFor(names)) == 0)
        {
            detail = "verify cert failed: no trust bundle for the peer's trust domain";
            return OwnRefusal;
        }
        if (store == 0)
            return 0;
        nint context = OpenSsl.X509_STORE_CTX_new();
        OpenSsl.X509_STORE_CTX_init(context, store, leaf, chain);
        OpenSsl.X509_STORE_CTX_set_default(context, peerIsClient ? "ssl_client" : "ssl_server");
        nint parameters = OpenSsl.X509_STORE_CTX_get0_param(context);
        OpenSsl.X509_VERIFY_PARAM_set_flags(parameters, _flags);
        OpenSsl.X509_VERIFY_PARAM_set_depth(parameters, _options.DepthMax > 0 ? _options.DepthMax : DefaultDepth);
        // A set time would count although the flag says that none does.
        if (!_options.AllowExpired)
            OpenSsl.X509_VERIFY_PARAM_set_time(parameters, wallClock / 1_000_000);
        int error = 0;
        if (OpenSsl.X509_verify_cert(context) != 1)
        {
            error = OpenSsl.X509_STORE_CTX_get_error(context);
            detail = TlsFailures.Chain(error, OpenSsl.X509_STORE_CTX_get_error_depth(context));
        }
        OpenSsl.X509_STORE_CTX_free(context);
        OpenSsl.ERR_clear_error();
        return error;
    }

    // SPIFFE X.509-SVID 2: exactly one URI name, spiffe://<trust domain>/<path>.
    private nint StoreFor(CertificateNames names)
    {
        string[] uris = names.Of(SanKind.Uri);
        const string scheme = "spiffe://";
        if (uris.Length != 1 || !uris[0].StartsWith(scheme, StringComparison.Ordinal))
            return 0;
        string rest = uris[0][scheme.Length..];
        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        return _domains.GetValueOrDefault(slash < 0 ? rest : rest[..slash]);
    }

    private bool NamesSatisfy(CertificateNames names, TlsConnectOptions options, out string detail)
    {
        IReadOnlyList<string>? wanted = options.Sans;
        string all = string.Join(", ", names.Names.Select(n => n.Text));
        detail = "";
        if (wanted is { Count: > 0 } && !names.Names.Any(n => wanted.Any(w => IsNamed(n, w))))
        {
            detail = options.SansAreConfigured ? $"verify cert failed: SAN matcher, certificate SANs are [{all}]" : $"verify cert failed: verify SAN list, expected SANs: [{string.Join(", ", wanted)}], certificate SANs: [{all}]";
            return false;
        }
        if (_options.Sans.Count > 0 && !names.Names.Any(n => _options.Sans.Any(m => Satisfies(n, m))))
        {
            detail = $"verify cert failed: SAN matcher, certificate SANs are [{all}]";
            return false;
        }
        return true;
    }

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

    /// <summary>True where a certificate's DNS name is that host, or a wildcard for exactly its first label (RFC 6125 6.4.3). No case.</summary>
    internal static bool DnsNameCovers(string pattern, string host)
    {
        if (string.Equals(pattern, host, StringComparison.OrdinalIgnoreCase))
            return true;
        if (!pattern.StartsWith("*.", StringComparison.Ordinal) || pattern.IndexOf('.', 2) < 0)
            return false;
        int dot = host.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && string.Equals(pattern[1..], host[dot..], StringComparison.OrdinalIgnoreCase);
    }

    private bool PinsSatisfy(byte[] der, CertificateNames names)
    {
        if (_certificatePins.Count + _keyPins.Count == 0)
            return true;
        return _certificatePins.Contains(Convert.ToHexString(SHA256.HashData(der))) || _keyPins.Contains(Convert.ToBase64String(SHA256.HashData(names.PublicKey)));
    }
}
