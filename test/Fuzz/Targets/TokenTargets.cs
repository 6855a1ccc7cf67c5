using System.Buffers.Text;
using System.Text;
using Lateen.Proxy.Filters.Jwt;
using Lateen.Proxy.Net;
using Lateen.Test.Fuzz.Frame;
using Lateen.Test.Rigs;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>Tokens of every algorithm against the keys of one issuer (corpus/jwks/all-kinds): refused with a reason, or verified; what is
/// verified was signed by the issuer, letter by letter.</summary>
internal sealed class TokenTarget : FuzzTarget
{
    private static readonly string Corpus = Path.Combine(Repository.Root, "test", "Fuzz", "corpus");

    private readonly KeySet _keys = KeySet.Parse(File.ReadAllBytes(Path.Combine(Corpus, "jwks", "all-kinds")))!;
    private readonly HashSet<string> _signed = [.. Signed(Directory.EnumerateFiles(Path.Combine(Corpus, "jwt")).Select(File.ReadAllText))];

    public override string Name => "jwt";

    public override bool HasPieces => false;

    public override IReadOnlyList<byte[]> Words =>
        [.. new[] { "eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiJ9", ".", "..", "e30", "bnVsbA", "W10", "====", "-_",
            "eyJleHAiOi0xfQ" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
        [Part("""{"alg":"RS256","kid":"k"}""", """{"iss":"i","aud":["a"],"exp":4102444800,"nbf":0,"sub":"s"}""")];

    public override byte[]? Make(Chance chance, InputPool pool)
    {
        string[] values = ["1", "-1", "1e999", "\"x\"", "null", "true", "[1,2]", "{\"a\":{}}", "\"\\ud800\"", "18446744073709551616",
            "1.5"], names = ["iss", "sub", "aud", "exp", "nbf", "iat", "alg", "kid", "a.b", ""];
        string Some() =>
            "{"
                + string.Join(',', Enumerable.Range(0, (int)chance.Below(5))
                    .Select(_ => $"\"{names[chance.Below((uint)names.Length)]}\":{values[chance.Below((uint)values.Length)]}")) + "}";
        if (chance.Hits(1, 3))
            return Part(chance.Hits(1, 2) ? """{"alg":"RS256"}""" : Some(), Some());
        // Parts of two tokens, as who forges one would try.
        string[] one = Encoding.ASCII.GetString(pool.Any(chance)).Split('.'), two = Encoding.ASCII.GetString(pool.Any(chance)).Split('.');
        return Encoding.ASCII.GetBytes(string.Join('.',
            one.Select((part, i) => i < two.Length && chance.Hits(1, 3) ? two[i] : chance.Hits(1, 9) ? Changed(part, chance) : part)));
    }

    // A letter of the alphabet for another: so it stays base64.
    private static string Changed(string part, Chance chance)
    {
        if (part.Length == 0)
            return part;
        int at = (int)chance.Below((uint)part.Length);
        return part[..at] + "AQgwAz09-_"[(int)chance.Below(10)] + part[(at + 1)..];
    }

    private static byte[] Part(string head, string claims) =>
        Encoding.ASCII.GetBytes(
            $"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(head))}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims))}.AAAA");

    private static IEnumerable<string> Signed(IEnumerable<string> tokens) => tokens.Select(static t => t[..t.LastIndexOf('.')]);

    public override string Play(byte[] input, Chance? cuts)
    {
        JwtStatus status = Token.Parse(input, out Token token);
        if (status != JwtStatus.Ok)
            return status.ToString();
        if (token.Text.AsSpan().Count((byte)'.') != 2)
            throw new InvalidOperationException("a token of other than three parts");
        JwtStatus verdict = _keys.Verify(token);
        if (verdict == JwtStatus.Ok && !_signed.Contains(Encoding.ASCII.GetString(token.Signed)))
            throw new InvalidOperationException("verified, and never signed");
        return $"{token.Algorithm[..2]} {verdict} {token.CheckTime(4_102_444_800, 60)} {token.Payload.ValueKind}";
    }
}

/// <summary>Keys as issuers write them.</summary>
internal sealed class KeySetTarget : FuzzTarget
{
    private static readonly string[] Algorithms = ["ES256", "ES384", "ES512", "HS256", "RS256", "PS384", "EdDSA"];

    public override string Name => "jwks";

    public override bool HasPieces => false;

    public override IReadOnlyList<byte[]> Words =>
        [.. new[] { "\"kty\":", "\"RSA\"", "\"EC\"", "\"oct\"", "\"OKP\"", "\"crv\":\"P-256\"", "\"crv\":\"Ed25519\"", "\"e\":\"AQAB\"",
            "\"n\":\"", "\"x\":\"", "\"k\":\"AA\"", "\"x5c\":[\"", "{\"keys\":[" }.Select(Encoding.ASCII.GetBytes)];

    // Every key that was taken is asked once for each algorithm.
    public override string Play(byte[] input, Chance? cuts)
    {
        if (KeySet.Parse(input) is not { } keys)
            return "none";
        var verdicts = new StringBuilder();
        foreach (string algorithm in Algorithms)
        {
            string head = Base64Url.EncodeToString(Encoding.ASCII.GetBytes($$"""{"alg":"{{algorithm}}"}"""));
            byte[] text = Encoding.ASCII.GetBytes($"{head}.e30."
                + Base64Url.EncodeToString(new byte[algorithm switch { "ES384" => 96, "ES512" => 132, "RS256" => 256, _ => 64 }]));
            if (Token.Parse(text, out Token token) != JwtStatus.Ok)
                throw new InvalidOperationException("a token of right form is refused");
            JwtStatus verdict = keys.Verify(token);
            if (verdict == JwtStatus.Ok)
                throw new InvalidOperationException("zeros are a signature of " + algorithm);
            verdicts.Append(verdict).Append(' ');
        }
        return verdicts.ToString();
    }
}

