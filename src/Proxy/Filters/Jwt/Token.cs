using System.Buffers.Text;
using System.Text.Json;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Filters.Jwt;

/// <summary>A token whose form is right; nothing in it is to be believed before its signature was verified.</summary>
public sealed class Token
{
    // A token is a header: it cannot be larger than heads may be. What nests deeper than this is no claim set.
    private const int DepthMax = 32;

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = DepthMax };

    private Token(byte[] text, int payloadAt, int signatureAt)
    {
        Text = text;
        PayloadAt = payloadAt;
        SignatureAt = signatureAt;
    }

    /// <summary>As it came.</summary>
    public byte[] Text { get; }

    private int PayloadAt { get; }

    private int SignatureAt { get; }

    /// <summary>What is signed: header and payload with their dot.</summary>
    public ReadOnlySpan<byte> Signed => Text.AsSpan(0, SignatureAt - 1);

    /// <summary>The payload as it came, base64url.</summary>
    public ReadOnlySpan<byte> PayloadText => Text.AsSpan(PayloadAt, SignatureAt - 1 - PayloadAt);

    /// <summary>The signature.</summary>
    public byte[] Signature { get; private set; } = [];

    /// <summary>The header.</summary>
    public JsonElement Header { get; private set; }

    /// <summary>The claims.</summary>
    public JsonElement Payload { get; private set; }

    /// <summary>Header alg.</summary>
    public string Algorithm { get; private set; } = "";

    /// <summary>Header kid; empty for none.</summary>
    public string KeyId { get; private set; } = "";

    /// <summary>Claim iss; empty for none.</summary>
    public string Issuer { get; private set; } = "";

    /// <summary>Claim sub; empty for none.</summary>
    public string Subject { get; private set; } = "";

    /// <summary>Claim aud; empty for none.</summary>
    public IReadOnlyList<string> Audiences { get; private set; } = [];

    /// <summary>Claim nbf, seconds since 1970; 0 for none.</summary>
    public ulong NotBefore { get; private set; }

    /// <summary>Claim exp, seconds since 1970; 0 for none.</summary>
    public ulong Expires { get; private set; }

    /// <summary>Reads a token; the status tells what is wrong with it.</summary>
    public static JwtStatus Parse(ReadOnlySpan<byte> text, out Token token)
    {
        token = null!;
        if (text.Count((byte)'.') != 2)
            return JwtStatus.BadFormat;
        int first = text.IndexOf((byte)'.'), last = text.LastIndexOf((byte)'.');
        if (first == 0 || last == first + 1 || last == text.Length - 1)
            return JwtStatus.BadFormat;
        var made = new Token(text.ToArray(), first + 1, last + 1);
        if (!TryDecode(text[..first], out byte[] header))
            return JwtStatus.HeaderBadBase64;
        if (!TryObject(header, out JsonElement head))
            return JwtStatus.HeaderBadJson;
        made.Header = head;
        JwtStatus status = made.ReadHeader();
        if (status != JwtStatus.Ok)
            return status;
        if (!TryDecode(made.PayloadText, out byte[] payload))
            return JwtStatus.PayloadBadBase64;
        if (!TryObject(payload, out JsonElement claims))
            return JwtStatus.PayloadBadJson;
        made.Payload = claims;
        status = made.ReadClaims();
        if (status != JwtStatus.Ok)
            return status;
        if (!TryDecode(text[(last + 1)..], out byte[] signature))
            return JwtStatus.SignatureBadBase64;
        made.Signature = signature;
        token = made;
        return JwtStatus.Ok;
    }

    private JwtStatus ReadHeader()
    {
        if (!Header.TryGetProperty("alg"u8, out JsonElement alg) || alg.ValueKind != JsonValueKind.String)
            return JwtStatus.HeaderBadAlg;
        Algorithm = alg.GetString()!;
        if (!SigningKey.Algorithms.Contains(Algorithm))
            return JwtStatus.HeaderUnknownAlg;
        if (!Header.TryGetProperty("kid"u8, out JsonElement kid))
            return JwtStatus.Ok;
        if (kid.ValueKind != JsonValueKind.String)
            return JwtStatus.HeaderBadKid;
        KeyId = kid.GetString()!;
        return JwtStatus.Ok;
    }

    private JwtStatus ReadClaims()
    {
        if (!TryText("iss"u8, out string iss))
            return JwtStatus.IssNotString;
        if (!TryText("sub"u8, out string sub))
            return JwtStatus.SubNotString;
        (Issuer, Subject) = (iss, sub);
        if (Time("iat"u8, JwtStatus.IatNotInteger, out _) is var iat and not JwtStatus.Ok)
            return iat;
        if (Time("nbf"u8, JwtStatus.NbfNotInteger, out ulong notBefore) is var nbf and not JwtStatus.Ok)
            return nbf;
        if (Time("exp"u8, JwtStatus.ExpNotInteger, out ulong expires) is var exp and not JwtStatus.Ok)
            return exp;
        (NotBefore, Expires) = (notBefore, expires);
        if (!TryText("jti"u8, out _))
            return JwtStatus.JtiNotString;
        if (!Payload.TryGetProperty("aud"u8, out JsonElement aud))
            return JwtStatus.Ok;
        if (aud.ValueKind == JsonValueKind.String)
            Audiences = [aud.GetString()!];
        else if (aud.ValueKind == JsonValueKind.Array && aud.EnumerateArray().All(static a => a.ValueKind == JsonValueKind.String))
            Audiences = [.. aud.EnumerateArray().Select(static a => a.GetString()!)];
        else
            return JwtStatus.AudNotString;
        return JwtStatus.Ok;
    }

    private bool TryText(ReadOnlySpan<byte> claim, out string text)
    {
        text = "";
        if (!Payload.TryGetProperty(claim, out JsonElement value))
            return true;
        if (value.ValueKind != JsonValueKind.String)
            return false;
        text = value.GetString()!;
        return true;
    }

    // The status behind "not an integer" is "out of range".
    private JwtStatus Time(ReadOnlySpan<byte> claim, JwtStatus notInteger, out ulong seconds)
    {
        seconds = 0;
        if (!Payload.TryGetProperty(claim, out JsonElement value))
            return JwtStatus.Ok;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double number))
            return notInteger;
        if (number is < 0 or >= 18446744073709551616.0)
            return notInteger + 1;
        seconds = (ulong)number;
        return JwtStatus.Ok;
    }

    /// <summary>Whether it holds now.</summary>
    public JwtStatus CheckTime(ulong now, ulong skew)
    {
        if (now + skew < NotBefore)
            return JwtStatus.NotYetValid;
        return Expires != 0 && now > Expires + Math.Min(skew, ulong.MaxValue - Expires) ? JwtStatus.Expired : JwtStatus.Ok;
    }

    internal static bool TryDecode(ReadOnlySpan<byte> text, out byte[] bytes)
    {
        bytes = new byte[Base64Url.GetMaxDecodedLength(text.Length)];
        if (Base64Url.DecodeFromUtf8(text, bytes, out int used, out int written) != System.Buffers.OperationStatus.Done
            || used != text.Length)
            return false;
        Array.Resize(ref bytes, written);
        return true;
    }

    private static bool TryObject(byte[] json, out JsonElement value) =>
        PeerJson.TryParse(json, out value, Options) && value.ValueKind == JsonValueKind.Object;

    /// <summary>The claim at a path of names parted by dots.</summary>
    public bool TryClaim(IReadOnlyList<string> path, out JsonElement value)
    {
        value = Payload;
        foreach (string step in path)
        {
            if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(step, out value))
                return false;
        }
        return true;
    }
}
