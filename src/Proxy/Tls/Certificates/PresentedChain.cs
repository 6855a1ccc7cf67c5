using System.Security.Cryptography;

namespace Lateen.Proxy.Tls.Certificates;

/// <summary>
/// Certificates as one side showed them, leaf first, with what was read from them and what was found about them. It may stand for many
/// connections at once: all that it says is of its bytes alone, and what several workers work out at the same time comes out the same.
/// </summary>
internal sealed class PresentedChain(byte[][] certificates)
{
    /// <summary>Nothing was shown.</summary>
    public static readonly PresentedChain None = new([]);

    private CertificateNames? _names;
    private string[]? _uris, _dnsNames;
    private string? _subject;

    /// <summary>DER.</summary>
    public byte[][] Certificates => certificates;

    public byte[] Leaf => certificates.Length > 0 ? certificates[0] : [];

    public CertificateNames Names => _names ??= CertificateNames.Read(Leaf);

    public string[] Uris => _uris ??= Names.Of(SanKind.Uri);

    public string[] DnsNames => _dnsNames ??= Names.Of(SanKind.Dns);

    public string Subject => _subject ??= NameText.Of(Leaf, subject: true);

    public string Sha256 => certificates.Length > 0 ? Convert.ToHexStringLower(SHA256.HashData(Leaf)) : "";

    /// <summary>The chain of these libcrypto certificates. The stack (STACK_OF(X509), 0 for none) may begin with the leaf, as a client's
    /// view of it does, or with what follows it.</summary>
    public static PresentedChain Of(nint leaf, nint stack)
    {
        if (leaf == 0)
            return None;
        var all = new List<byte[]> { Pem.Der(leaf) };
        int count = stack == 0 ? 0 : OpenSsl.OPENSSL_sk_num(stack);
        for (int i = 0; i < count; i++)
        {
            byte[] der = Pem.Der(OpenSsl.OPENSSL_sk_value(stack, i));
            if (i > 0 || !der.AsSpan().SequenceEqual(all[0]))
                all.Add(der);
        }
        return new PresentedChain([.. all]);
    }

    /// <summary>True where those are the same certificates in the same order.</summary>
    public bool IsOf(nint leaf, nint stack, Span<byte> room)
    {
        int count = stack == 0 ? 0 : OpenSsl.OPENSSL_sk_num(stack), at = 1;
        if (!Pem.Der(leaf, room).SequenceEqual(Leaf))
            return false;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> der = Pem.Der(OpenSsl.OPENSSL_sk_value(stack, i), room);
            if (i == 0 && der.SequenceEqual(Leaf))
                continue;
            if (at >= certificates.Length || !der.SequenceEqual(certificates[at]))
                return false;
            at++;
        }
        return at == certificates.Length;
    }

    /// <summary>Its path was verified: that holds from this second of the clock that certificates are judged by …</summary>
    public long VouchedFrom { get; init; } = long.MaxValue;

    /// <summary>… and ends with this one, since one of the path's certificates ends then.</summary>
    public long VouchedUntil { get; init; }

    public bool IsVouchedAt(long second) => second >= VouchedFrom && second < VouchedUntil;

    /// <summary>The same certificates, vouched for.</summary>
    public PresentedChain Vouched(long from, long until) => new(certificates) { VouchedFrom = from, VouchedUntil = until, _names = Names };
}
