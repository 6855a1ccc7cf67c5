using System.Globalization;
using System.Text;
using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Jwt;

/// <summary>Whose tokens are believed, and what of them goes on.</summary>
public sealed class JwtProvider
{
    private const string Namespace = "envoy.filters.http.jwt_authn";

    /// <summary>Its name in the filter.</summary>
    public required string Name { get; init; }

    /// <summary>The issuer that tokens must name; empty for any.</summary>
    public string Issuer { get; init; } = "";

    /// <summary>Audiences of which a token must name one; null for any.</summary>
    public AudienceCheck? Audiences { get; init; }

    /// <summary>The subject's test; null for any.</summary>
    public StringMatch? Subjects { get; init; }

    /// <summary>Tokens without an end are refused.</summary>
    public bool RequireExpiration { get; init; }

    /// <summary>The longest time that a token may still hold, in seconds; null for any.</summary>
    public ulong? MaxLifetime { get; init; }

    /// <summary>Differences between clocks that are borne, in seconds.</summary>
    public ulong ClockSkew { get; init; } = 60;

    /// <summary>The token goes on to the upstream.</summary>
    public bool Forward { get; init; }

    /// <summary>Where its tokens stand.</summary>
    public required IReadOnlyList<TokenPlace> Places { get; init; }

    /// <summary>The header that gets the payload, in lower case; null for none.</summary>
    public byte[]? PayloadHeader { get; init; }

    /// <summary>The payload's base64 is padded.</summary>
    public bool PadPayload { get; init; }

    /// <summary>Headers that get claims.</summary>
    public IReadOnlyList<(byte[] Header, string[] Claim)> ClaimToHeaders { get; init; } = [];

    /// <summary>The key of dynamic metadata that gets the payload; empty for none.</summary>
    public string PayloadKey { get; init; } = "";

    /// <summary>The key that gets the header; empty for none.</summary>
    public string HeaderKey { get; init; } = "";

    /// <summary>The key that gets the status of a failure; empty for none.</summary>
    public string FailureKey { get; init; } = "";

    /// <summary>Claims whose text becomes a list of words in metadata.</summary>
    public IReadOnlyList<string> SplitClaims { get; init; } = [];

    /// <summary>The route is taken anew with what was added.</summary>
    public bool ClearRoute { get; init; }

    /// <summary>Keys that are configured; null where they come from a server, or are none.</summary>
    public KeySet? LocalKeys { get; init; }

    /// <summary>The server of keys; null where they are configured.</summary>
    public KeySource? RemoteKeys { get; init; }

    /// <summary>How many verified tokens each worker keeps.</summary>
    public int TokensKept { get; init; } = 1024;

    /// <summary>A cache was asked for, so that its hits are told; else it is our own affair.</summary>
    public bool CountsHits { get; init; }

    internal IEnumerable<byte[]> ClaimHeaders =>
        (PayloadHeader is null ? [] : new[] { PayloadHeader }).Concat(ClaimToHeaders.Select(static c => c.Header));

    /// <summary>What of a verified token goes on.</summary>
    internal VerifiedToken Prepare(Token token, KeySet keys, int hash)
    {
        var headers = new List<(byte[], byte[])>();
        if (PayloadHeader is not null)
            headers.Add((PayloadHeader, Payload(token)));
        foreach ((byte[] header, string[] claim) in ClaimToHeaders)
        {
            if (token.TryClaim(claim, out JsonElement value) && TextOf(value) is { Length: > 0 } text)
                headers.Add((header, text));
        }
        return new VerifiedToken(token, keys, hash) { Headers = headers, Metadata = MetadataOf(token) };
    }

    private byte[] Payload(Token token)
    {
        byte[] text = token.PayloadText.ToArray();
        return PadPayload ? [.. text, .. Encoding.ASCII.GetBytes(new string('=', (4 - (text.Length % 4)) % 4))] : text;
    }

    private static byte[]? TextOf(JsonElement claim) => claim.ValueKind switch
    {
        JsonValueKind.String => Encoding.UTF8.GetBytes(claim.GetString()!),
        JsonValueKind.True => "true"u8.ToArray(),
        JsonValueKind.False => "false"u8.ToArray(),
        JsonValueKind.Number => Encoding.ASCII.GetBytes(NumberOf(claim.GetDouble())),
        JsonValueKind.Object or JsonValueKind.Array =>
            Encoding.ASCII.GetBytes(Convert.ToBase64String(Encoding.UTF8.GetBytes(StructJson.Sorted(claim).GetRawText()))),
        _ => null,
    };

    // Whole numbers as such, others with six decimals (observed).
    private static string NumberOf(double number) => number >= 0 && number < 18446744073709551616.0 && Math.Floor(number) == number
        ? ((ulong)number).ToString(CultureInfo.InvariantCulture) : number.ToString("F6", CultureInfo.InvariantCulture);

    private MetadataFragment? MetadataOf(Token token)
    {
        var values = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal);
        if (HeaderKey.Length > 0)
            values[HeaderKey] = StructJson.Sorted(token.Header);
        if (PayloadKey.Length > 0)
            values[PayloadKey] = Split(StructJson.Sorted(token.Payload));
        return values.Count == 0 ? null : new MetadataFragment(Namespace, JsonSerializer.SerializeToElement(values));
    }

    private JsonElement Split(JsonElement payload)
    {
        if (SplitClaims.Count == 0)
            return payload;
        var claims = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (JsonProperty claim in payload.EnumerateObject())
        {
            claims[claim.Name] = claim.Value.ValueKind == JsonValueKind.String && SplitClaims.Contains(claim.Name)
                ? JsonSerializer.SerializeToElement(claim.Value.GetString()!.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                : claim.Value;
        }
        return JsonSerializer.SerializeToElement(claims);
    }

    /// <summary>Leaves the failure in metadata where it is asked for.</summary>
    internal void NoteFailure(Exchange exchange, JwtStatus status)
    {
        if (FailureKey.Length == 0)
            return;
        var failure = new { code = (int)status, message = JwtTexts.Of(status) };
        exchange.SetMetadata(Namespace, JsonSerializer.SerializeToElement(new Dictionary<string, object> { [FailureKey] = failure }));
    }
}

/// <summary>Audiences, compared without scheme and closing slash (as Envoy's).</summary>
public sealed class AudienceCheck(IEnumerable<string> audiences)
{
    private readonly HashSet<string> _allowed = audiences.Select(Bare).ToHashSet(StringComparer.Ordinal);

    /// <summary>True where a token's audiences name one of these.</summary>
    public bool Allows(IReadOnlyList<string> audiences)
    {
        for (int i = 0; i < audiences.Count; i++)
        {
            if (_allowed.Contains(Bare(audiences[i])))
                return true;
        }
        return false;
    }

    private static string Bare(string audience)
    {
        ReadOnlySpan<char> bare = audience;
        if (bare.StartsWith("https://", StringComparison.Ordinal))
            bare = bare[8..];
        else if (bare.StartsWith("http://", StringComparison.Ordinal))
            bare = bare[7..];
        if (bare.EndsWith("/", StringComparison.Ordinal))
            bare = bare[..^1];
        return bare.Length == audience.Length ? audience : bare.ToString();
    }
}
