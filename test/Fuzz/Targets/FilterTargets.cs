using System.Text;
using Lateen.Proxy.Cel;
using Lateen.Proxy.Filters.Jwt;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;
using Lateen.Test.Fuzz.Frame;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>Tokens: parsed or refused with a reason; one that is parsed has three parts of its text.</summary>
internal sealed class TokenTarget : FuzzTarget
{
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
        return Part(chance.Hits(1, 2) ? """{"alg":"RS256"}""" : Some(), Some());
    }

    private static byte[] Part(string head, string claims) =>
        Encoding.ASCII.GetBytes(
            $"{System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(head))}.{System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims))}.AAAA");

    public override string Play(byte[] input, Chance? cuts)
    {
        JwtStatus status = Token.Parse(input, out Token token);
        return status != JwtStatus.Ok ? status.ToString()
            : token.Text.AsSpan().Count((byte)'.') == 2
            ? "parsed" : throw new InvalidOperationException("a token of other than three parts");
    }
}

/// <summary>Keys as issuers write them.</summary>
internal sealed class KeySetTarget : FuzzTarget
{
    public override string Name => "jwks";

    public override bool HasPieces => false;

    public override IReadOnlyList<byte[]> Words =>
        [.. new[] { "\"kty\":", "\"RSA\"", "\"EC\"", "\"oct\"", "\"OKP\"", "\"crv\":\"P-256\"", "\"crv\":\"Ed25519\"", "\"e\":\"AQAB\"",
            "\"n\":\"", "\"x\":\"", "\"k\":\"AA\"", "\"x5c\":[\"", "{\"keys\":[" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
    [
        """{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"e"},{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75","alg":"HS256"}]}"""u8.ToArray(),
    ];

    public override string Play(byte[] input, Chance? cuts) => KeySet.Parse(input) is null ? "none" : "keys";
}

/// <summary>Expressions: compiled, or refused by position.</summary>
internal sealed class ExpressionTarget : FuzzTarget
{
    public override string Name => "cel";

    // Constant regular expressions are compiled; who writes one is an operator.
    public override long AllocationMax(int length) => 40_000_000;

    public override bool HasPieces => false;

    public override IReadOnlyList<byte[]> Words =>
        [.. new[] { "request.headers['a']", " && ", " || ", "!", "(", ")", "[", "]", "{", "}", ".matches('", "'(a+)+$'", ".size()",
            "duration('1h')", "timestamp('", "has(", "re.extract(", "0x", "1e400", "18446744073709551615u", "b'", "r\"", "'''", " ? 1 : ",
            " in ", "-9223372036854775808" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
        [.. new[] { "request.path.startsWith('/a') && source.port > 80",
            "has(request.headers['x']) ? {'a': 1}['a'] == 1 : [1u, 2u][0] in [3u]",
            "re.capture(connection.requested_server_name, '([a-z]+)') == 'x'" }.Select(Encoding.ASCII.GetBytes)];

    public override string Play(byte[] input, Chance? cuts)
    {
        try
        {
            CelProgram.Parse(Encoding.UTF8.GetString(input));
            return "compiled";
        }
        catch (CelException e)
        {
            return e.Message.Length > 0 ? "refused" : throw new InvalidOperationException("refused without a reason");
        }
    }
}

/// <summary>Formats of logs and headers: taken, or refused by name and position.</summary>
internal sealed class FormatTarget : FuzzTarget
{
    public override string Name => "log-format";

    public override bool HasPieces => false;

    public override IReadOnlyList<byte[]> Words =>
        [.. new[] { "%REQ(", "%RESP(A?B):", "%START_TIME(%Y %3f %E6f)%", "%DYNAMIC_METADATA(a:b)", "%FILTER_STATE(a:FIELD:b)%",
            "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:ms)%", "%CEL(request.path)%", "%PATH(NQ:ORIG)%", "%%", ")%", "):5%", "%QUERY_PARAM(",
            "%TRACE_ID%", ":99999999999%" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
        [
            "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_SENT% \"%UPSTREAM_HOST%\"\n"u8.ToArray()];

    public override string Play(byte[] input, Chance? cuts)
    {
        try
        {
            return TextFormat.Parse(Encoding.UTF8.GetString(input)).IsConstant ? "constant" : "format";
        }
        catch (FormatException e)
        {
            return e.Message.Length > 0 ? "refused" : throw new InvalidOperationException("refused without a reason");
        }
    }
}
