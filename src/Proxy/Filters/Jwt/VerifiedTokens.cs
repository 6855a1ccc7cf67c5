namespace Lateen.Proxy.Filters.Jwt;

/// <summary>A token that was verified, with everything that its provider makes of it.</summary>
/// <param name="Token">The token.</param>
/// <param name="Keys">By which keys: others, and it is to be verified anew.</param>
/// <param name="Hash">Of its bytes.</param>
public sealed record VerifiedToken(Token Token, KeySet Keys, int Hash)
{
    /// <summary>Headers that carry its claims, name and value, in order.</summary>
    public IReadOnlyList<(byte[] Name, byte[] Value)> Headers { get; init; } = [];

    /// <summary>What goes to dynamic metadata; null for nothing.</summary>
    public MetadataFragment? Metadata { get; init; }
}

/// <summary>
/// A worker's verified tokens of one provider, found by their bytes. Bounded: each token has two places by its hash, and takes the one that
/// was used longer ago. A hit allocates nothing. Hashes are keyed by chance (the runtime's), so that nobody can aim at one place.
/// </summary>
internal sealed class VerifiedTokens(int size)
{
    // Longer ones are verified each time: a cache's memory follows from its number of places.
    private const int TokenMax = 16 * 1024;

    private readonly (VerifiedToken? Entry, uint UsedAt)[] _places =
        new (VerifiedToken?, uint)[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(2, size))];
    private uint _clock;

    public static int HashOf(ReadOnlySpan<byte> token)
    {
        var hash = default(HashCode);
        hash.AddBytes(token);
        return hash.ToHashCode();
    }

    public VerifiedToken? Find(ReadOnlySpan<byte> token, int hash, KeySet keys)
    {
        for (int way = 0; way < 2; way++)
        {
            ref (VerifiedToken? Entry, uint UsedAt) place = ref _places[PlaceOf(hash, way)];
            if (place.Entry is not { } entry || entry.Hash != hash || !ReferenceEquals(entry.Keys, keys)
                || !token.SequenceEqual(entry.Token.Text))
                continue;
            place.UsedAt = ++_clock;
            return entry;
        }
        return null;
    }

    public void Keep(VerifiedToken token)
    {
        if (token.Token.Text.Length > TokenMax)
            return;
        int a = PlaceOf(token.Hash, 0), b = PlaceOf(token.Hash, 1);
        int at = _places[a].Entry is null ? a : _places[b].Entry is null ? b : _clock - _places[a].UsedAt > _clock - _places[b].UsedAt
            ? a : b;
        _places[at] = (token, ++_clock);
    }

    private int PlaceOf(int hash, int way) => (way == 0 ? hash : (int)((uint)hash * 0x9E3779B1u >> 7)) & (_places.Length - 1);
}
