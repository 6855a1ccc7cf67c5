using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Tls;

/// <summary>Protocol versions.</summary>
public enum TlsVersion : byte
{
    /// <summary>The side's default: at least 1.2; at most 1.3 for servers and 1.2 for clients, as Envoy has it.</summary>
    Auto,
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

/// <summary>Kinds of subject alternative names.</summary>
public enum SanKind : byte
{
    /// <summary>Any of the others (Envoy's untyped matchers).</summary>
    Any,
    Dns,
    Uri,
    Email,
    Ip,
}

/// <summary>A test of one subject alternative name.</summary>
/// <param name="Kind">Which names it looks at.</param>
/// <param name="Match">The test. An exact DNS test understands a wildcard in the certificate.</param>
public sealed record SanMatch(SanKind Kind, StringMatch Match);

/// <summary>A certificate with its chain and key.</summary>
/// <param name="Chain">PEM, leaf first.</param>
/// <param name="Key">PEM.</param>
/// <param name="Password">For an encrypted key.</param>
public sealed record TlsCertificate(ReadOnlyMemory<byte> Chain, ReadOnlyMemory<byte> Key, string? Password = null)
{
    /// <summary>The file that the chain was read from, as operators are told.</summary>
    public string Origin { get; init; } = "<inline>";
}

/// <summary>Whom to trust.</summary>
public sealed record TlsValidation
{
    /// <summary>PEM of the trusted certificates (roots or intermediates); CRLs among them count. Empty: no chain is verified.</summary>
    public ReadOnlyMemory<byte> TrustedCa { get; init; }

    /// <summary>The file that they were read from, as operators are told.</summary>
    public string Origin { get; init; } = "<inline>";

    /// <summary>SPIFFE: PEM bundles by trust domain. Where there are any, the peer's URI name chooses the bundle and must be of one of
    /// these domains.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> TrustDomains { get; init; } = new Dictionary<string, ReadOnlyMemory<byte>>();

    /// <summary>One of these must hold for a name of the peer. Empty: any name.</summary>
    public IReadOnlyList<SanMatch> Sans { get; init; } = [];

    /// <summary>PEM of revocation lists.</summary>
    public ReadOnlyMemory<byte> Crl { get; init; }

    /// <summary>Only the leaf is looked up in the lists.</summary>
    public bool CrlForLeafOnly { get; init; }

    /// <summary>A failed verification is noted, not enforced (ACCEPT_UNTRUSTED).</summary>
    public bool AcceptUntrusted { get; init; }

    /// <summary>Expired and not yet valid certificates pass.</summary>
    public bool AllowExpired { get; init; }

    /// <summary>SHA-256 of the peer's SubjectPublicKeyInfo, base64. With <see cref="CertificatePins"/>: one of either must match.</summary>
    public IReadOnlyList<string> KeyPins { get; init; } = [];

    /// <summary>SHA-256 of the peer's certificate, hex, colons allowed.</summary>
    public IReadOnlyList<string> CertificatePins { get; init; } = [];

    /// <summary>Longest chain; 0 for 100.</summary>
    public int DepthMax { get; init; }
}

/// <summary>Everything of one TLS context, either side.</summary>
public sealed record TlsOptions
{
    /// <summary>True for the side that accepts.</summary>
    public required bool IsServer { get; init; }

    /// <summary>Our certificates. A server chooses by SNI and by what the client can verify; the first is for all other names.</summary>
    public IReadOnlyList<TlsCertificate> Certificates { get; init; } = [];

    /// <summary>Whom to trust; null asks the peer for nothing.</summary>
    public TlsValidation? Validation { get; init; }

    /// <summary>A server refuses clients without a certificate.</summary>
    public bool RequireClientCertificate { get; init; }

    /// <summary>ALPN: what a client offers, what a server chooses from, in order of preference.</summary>
    public IReadOnlyList<string> Alpn { get; init; } = [];

    /// <summary>Least version.</summary>
    public TlsVersion VersionMin { get; init; }

    /// <summary>Greatest version.</summary>
    public TlsVersion VersionMax { get; init; }

    /// <summary>Cipher suites of TLS 1.2 in OpenSSL's names; empty for the default. Groups of equal preference ("[A|B]") are taken in their
    /// order.</summary>
    public IReadOnlyList<string> Ciphers { get; init; } = [];

    /// <summary>Key exchange groups; empty for X25519 and P-256.</summary>
    public IReadOnlyList<string> Curves { get; init; } = [];

    /// <summary>A client's server name where the connection gives none.</summary>
    public string Sni { get; init; } = "";

    /// <summary>Tickets are given and taken.</summary>
    public bool Resumption { get; init; } = true;
}

/// <summary>What one connection adds to its context.</summary>
public sealed record TlsConnectOptions
{
    /// <summary>Nothing added.</summary>
    public static TlsConnectOptions None { get; } = new();

    /// <summary>The server name in place of the context's; null for the context's, empty for none.</summary>
    public string? Sni { get; init; }

    /// <summary>ALPN in place of the context's (the istio.alpn filter); null for the context's.</summary>
    public IReadOnlyList<string>? Alpn { get; init; }

    /// <summary>The server's certificate must carry one of these names (auto_san_validation); null asks nothing more.</summary>
    public IReadOnlyList<string>? Sans { get; init; }

    /// <summary>These names are judged as if the configuration asked for them; for the words of a failure.</summary>
    public bool SansAreConfigured { get; init; }

    /// <summary>Until the handshake must be complete, counted from its beginning; 0 for no limit of its own.</summary>
    public long HandshakeMicros { get; init; }
}
