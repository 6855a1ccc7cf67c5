using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Jwt;

/// <summary>Where tokens may stand.</summary>
public enum TokenPlaceKind : byte
{
    Header,
    Parameter,
    Cookie,
}

/// <summary>One place, and whose tokens it may hold.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Name">The header's (lower case), parameter's or cookie's name.</param>
/// <param name="Prefix">What stands before the token in a header; empty for nothing.</param>
/// <param name="Issuers">Issuers whose tokens may stand there; null for any.</param>
public sealed record TokenPlace(TokenPlaceKind Kind, byte[] Name, byte[] Prefix, IReadOnlySet<string>? Issuers)
{
    /// <summary>Whether an issuer's token may stand there.</summary>
    public bool Allows(string issuer) => Issuers is null || Issuers.Contains(issuer);
}

/// <summary>A token that was found: which place, and its bytes in the head or (decoded) of its own.</summary>
internal readonly record struct FoundToken(TokenPlace Place, int Header, int At, int Length, byte[]? Own)
{
    public ReadOnlySpan<byte> Of(HeaderMap head)
    {
        if (Own is not null)
            return Own;
        head.At(Header, out _, out _, out ReadOnlySpan<byte> value);
        return value.Slice(At, Length);
    }
}

/// <summary>The places of one or several providers, in Envoy's order: headers by name and prefix, then parameters, then cookies.</summary>
public sealed class TokenPlaces
{
    private const string TokenBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

    private static readonly System.Buffers.SearchValues<byte> InToken =
        System.Buffers.SearchValues.Create(System.Text.Encoding.ASCII.GetBytes(TokenBytes));

    private readonly TokenPlace[] _places;
    private readonly byte[][] _claimHeaders;

    /// <summary>From providers' own.</summary>
    public TokenPlaces(IReadOnlyList<JwtProvider> providers)
    {
        _places = [.. providers.SelectMany(static p => p.Places.Select(place => (Place: place, p.Issuer)))
            .GroupBy(static p => (p.Place.Kind, Name: System.Text.Encoding.Latin1.GetString(p.Place.Name),
                Prefix: System.Text.Encoding.Latin1.GetString(p.Place.Prefix)))
            .OrderBy(static g => g.Key.Kind).ThenBy(static g => g.Key.Name + g.Key.Prefix, StringComparer.Ordinal)
            .Select(static g => g.First().Place with { Issuers = g.Any(static p => p.Issuer.Length == 0)
                ? null : g.Select(static p => p.Issuer).ToHashSet(StringComparer.Ordinal) })];
        _claimHeaders = [.. providers.SelectMany(static p => p.ClaimHeaders)];
    }

    /// <summary>Takes the headers off that only the proxy may write.</summary>
    public void Sanitize(HeaderMap head)
    {
        foreach (byte[] name in _claimHeaders)
            head.Remove(name);
    }

    /// <summary>Finds the tokens of a request.</summary>
    internal void Find(HeaderMap head, List<FoundToken> found)
    {
        foreach (TokenPlace place in _places)
        {
            switch (place.Kind)
            {
                case TokenPlaceKind.Header:
                    FindInHeaders(head, place, found);
                    break;
                case TokenPlaceKind.Parameter:
                    FindParameter(head, place, found);
                    break;
                default:
                    FindCookie(head, place, found);
                    break;
            }
        }
    }

    private static void FindInHeaders(HeaderMap head, TokenPlace place, List<FoundToken> found)
    {
        for (int at = head.IndexOf(place.Name, 0); at >= 0; at = head.IndexOf(place.Name, at + 1))
        {
            head.At(at, out _, out _, out ReadOnlySpan<byte> value);
            int from = 0;
            if (place.Prefix.Length > 0)
            {
                int prefix = value.IndexOf(place.Prefix);
                if (prefix < 0)
                    continue;
                int start = value[(prefix + place.Prefix.Length)..].IndexOfAny(InToken);
                from = start < 0 ? 0 : prefix + place.Prefix.Length + start;
            }
            found.Add(new FoundToken(place, at, from, value.Length - from, null));
        }
    }

    private static void FindParameter(HeaderMap head, TokenPlace place, List<FoundToken> found)
    {
        int path = head.IndexOf(KnownHeader.Path, 0);
        if (path < 0)
            return;
        ReadOnlySpan<byte> whole = head[KnownHeader.Path];
        if (!QueryMatch.TryFind(Text.QueryOf(whole), place.Name, out ReadOnlySpan<byte> value))
            return;
        if (value.Contains((byte)'%'))
            found.Add(new FoundToken(place, path, 0, 0, QueryText.Decode(value)));
        else if (whole.Overlaps(value, out int offset))
            found.Add(new FoundToken(place, path, offset, value.Length, null));
        else
            found.Add(new FoundToken(place, path, 0, 0, null));
    }

    private static void FindCookie(HeaderMap head, TokenPlace place, List<FoundToken> found)
    {
        for (int at = head.IndexOf(KnownHeader.Cookie, 0); at >= 0; at = head.IndexOf(KnownHeader.Cookie, at + 1))
        {
            head.At(at, out _, out _, out ReadOnlySpan<byte> value);
            int from = 0;
            while (from < value.Length)
            {
                int length = value[from..].IndexOf((byte)';');
                int end = length < 0 ? value.Length : from + length, start = from;
                from = end + 1;
                while (start < end && value[start] is (byte)' ' or (byte)'\t')
                    start++;
                ReadOnlySpan<byte> pair = value[start..end];
                if (pair.Length <= place.Name.Length || pair[place.Name.Length] != '=' || !pair.StartsWith(place.Name))
                    continue;
                int text = start + place.Name.Length + 1, width = end - text;
                if (width >= 2 && value[text] == '"' && value[end - 1] == '"')
                    (text, width) = (text + 1, width - 2);
                found.Add(new FoundToken(place, at, text, width, null));
                return;
            }
        }
    }

    /// <summary>Takes a token off the request; cookies stay, as in Envoy.</summary>
    internal static void Remove(HeaderMap head, TokenPlace place)
    {
        if (place.Kind == TokenPlaceKind.Header)
            head.Remove(place.Name);
        else if (place.Kind == TokenPlaceKind.Parameter)
            QueryText.Remove(head, place.Name);
    }
}
