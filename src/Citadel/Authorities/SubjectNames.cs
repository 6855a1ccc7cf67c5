using System.Formats.Asn1;
using System.Security.Cryptography.X509Certificates;

namespace Lateen.Citadel.Authorities;

/// <summary>Subject alternative names: the only names that certificates of a mesh have.</summary>
internal static class SubjectNames
{
    private const string Name = "2.5.29.17", UriScheme = "spiffe://";

    // GeneralName of RFC 5280 4.2.1.6: dNSName [2], uniformResourceIdentifier [6], both IA5String.
    private static readonly Asn1Tag Dns = new(TagClass.ContextSpecific, 2), Uri = new(TagClass.ContextSpecific, 6);

    /// <summary>The extension, critical because the subject is empty. Names are written letter for letter: a URI type would change
    /// some.</summary>
    public static X509Extension Of(IEnumerable<string> names)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            foreach (string name in names)
                writer.WriteCharacterString(UniversalTagNumber.IA5String, name,
                    name.StartsWith(UriScheme, StringComparison.Ordinal) ? Uri : Dns);
        }
        return new X509Extension(Name, writer.Encode(), critical: true);
    }

    /// <summary>The URI names of a certificate, as they are written in it.</summary>
    public static IReadOnlyList<string> UrisOf(X509Certificate2 certificate)
    {
        var uris = new List<string>();
        foreach (X509Extension extension in certificate.Extensions.Where(static e => e.Oid?.Value == Name))
        {
            AsnReader names = new AsnReader(extension.RawData, AsnEncodingRules.DER).ReadSequence();
            while (names.HasData)
            {
                if (names.PeekTag().HasSameClassAndValue(Uri)) uris.Add(names.ReadCharacterString(UniversalTagNumber.IA5String, Uri));
                else names.ReadEncodedValue();
            }
        }
        return uris;
    }
}
