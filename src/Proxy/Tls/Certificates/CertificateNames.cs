// Certificates: whom to trust, and which certificate to show. A PresentedChain is what one side showed, by its bytes; a Verifier judges it
// and remembers whom it vouched for (KnownChains), as long as no certificate of the path ends; a CertificateShelf holds our own by the
// names they are for. All of it is immutable or published by one write, and shared by the workers: a change of trust or of certificates
// makes a new TlsContext, which knows nobody. That the peer has the key of its certificate is not judged here: libssl sees it in each
// handshake.
// Refused: .NET's X509Chain (a system's roots and its files, allocations), remembering refusals (their texts are rare, and a refusal may be
// the clock's).
using System.Formats.Asn1;
using System.Net;
using System.Text;

namespace Lateen.Proxy.Tls.Certificates;

/// <summary>One subject alternative name.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Text">Its text; an IP address in its usual form.</param>
internal readonly record struct SubjectName(SanKind Kind, string Text);

/// <summary>
/// What is read from a certificate without libcrypto: names, serial number, validity, public key. Names are kept with their full length (a
/// NUL inside is part of the name and ends nothing), and a certificate that cannot be read has no names.
/// </summary>
internal sealed class CertificateNames
{
    private const string AlternativeNames = "2.5.29.17", CommonNameType = "2.5.4.3";

    private CertificateNames()
    {
    }

    public IReadOnlyList<SubjectName> Names { get; private set; } = [];

    public string CommonName { get; private set; } = "";

    public string Serial { get; private set; } = "";

    public long ValidFrom { get; private set; }

    public long ValidTo { get; private set; }

    public byte[] PublicKey { get; private set; } = [];

    public static CertificateNames Read(ReadOnlyMemory<byte> der)
    {
        var names = new CertificateNames();
        try
        {
            names.ReadCertificate(der);
        }
        catch (AsnContentException)
        {
            // libcrypto read it, so only an extension of an odd form comes here: it has the names read so far.
        }
        return names;
    }

    // RFC 5280 4.1: TBSCertificate ::= { version, serial, signature, issuer, validity, subject, key, unique ids, extensions }.
    private void ReadCertificate(ReadOnlyMemory<byte> der)
    {
        AsnReader body = new AsnReader(der, AsnEncodingRules.DER).ReadSequence().ReadSequence();
        if (body.PeekTag().HasSameClassAndValue(new Asn1Tag(TagClass.ContextSpecific, 0)))
            body.ReadEncodedValue();
        Serial = Hex(body.ReadIntegerBytes().Span);
        body.ReadEncodedValue();
        body.ReadEncodedValue();
        AsnReader validity = body.ReadSequence();
        ValidFrom = Time(validity);
        ValidTo = Time(validity);
        ReadSubject(body.ReadSequence());
        PublicKey = body.ReadEncodedValue().ToArray();
        while (body.HasData)
        {
            Asn1Tag tag = body.PeekTag();
            if (tag.TagClass == TagClass.ContextSpecific && tag.TagValue == 3)
                ReadExtensions(body.ReadSequence(tag).ReadSequence());
            else
                body.ReadEncodedValue();
        }
    }

    // As BN_bn2hex in lower case: whole bytes, without the sign byte.
    private static string Hex(ReadOnlySpan<byte> number)
    {
        while (number.Length > 1 && number[0] == 0)
            number = number[1..];
        return Convert.ToHexStringLower(number);
    }

    private static long Time(AsnReader reader) =>
        (reader.PeekTag().HasSameClassAndValue(Asn1Tag.UtcTime) ? reader.ReadUtcTime() : reader.ReadGeneralizedTime()).ToUnixTimeSeconds();

    private void ReadSubject(AsnReader subject)
    {
        while (subject.HasData)
        {
            AsnReader set = subject.ReadSetOf();
            while (set.HasData)
            {
                AsnReader attribute = set.ReadSequence();
                string type = attribute.ReadObjectIdentifier();
                Asn1Tag tag = attribute.PeekTag();
                if (type == CommonNameType && tag.TagClass == TagClass.Universal && tag.TagValue is 12 or 19 or 22)
                    CommonName = attribute.ReadCharacterString((UniversalTagNumber)tag.TagValue);
            }
        }
    }

    private void ReadExtensions(AsnReader extensions)
    {
        while (extensions.HasData)
        {
            AsnReader extension = extensions.ReadSequence();
            if (extension.ReadObjectIdentifier() != AlternativeNames)
                continue;
            if (extension.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean))
                extension.ReadBoolean();
            ReadNames(new AsnReader(extension.ReadOctetString(), AsnEncodingRules.DER).ReadSequence());
        }
    }

    // GeneralName (RFC 5280 4.2.1.6): 1 rfc822Name, 2 dNSName, 6 URI are IA5String, 7 iPAddress is bytes.
    private void ReadNames(AsnReader sequence)
    {
        var found = new List<SubjectName>();
        Names = found;
        while (sequence.HasData)
        {
            Asn1Tag tag = sequence.PeekTag();
            switch (tag.TagClass == TagClass.ContextSpecific ? tag.TagValue : -1)
            {
                case 1:
                    found.Add(new SubjectName(SanKind.Email, Latin(sequence, tag)));
                    break;
                case 2:
                    found.Add(new SubjectName(SanKind.Dns, Latin(sequence, tag)));
                    break;
                case 6:
                    found.Add(new SubjectName(SanKind.Uri, Latin(sequence, tag)));
                    break;
                case 7:
                    byte[] bytes = sequence.ReadOctetString(tag);
                    if (bytes.Length is 4 or 16)
                        found.Add(new SubjectName(SanKind.Ip, new IPAddress(bytes).ToString()));
                    break;
                default:
                    sequence.ReadEncodedValue();
                    break;
            }
        }
    }

    private static string Latin(AsnReader reader, Asn1Tag tag) => Encoding.Latin1.GetString(reader.ReadOctetString(tag));

    /// <summary>The texts of one kind, in order.</summary>
    public string[] Of(SanKind kind) => [.. Names.Where(n => n.Kind == kind).Select(n => n.Text)];
}
