using System.Text.Json;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Filters.Jwt;

/// <summary>The keys of one provider (RFC 7517, or a map of certificates by key id). Immutable; another set is another object, by which
/// verified tokens know that theirs is gone.</summary>
public sealed class KeySet(IReadOnlyList<SigningKey> keys)
{
    /// <summary>Reads a set; null where it is none or has no key that is served.</summary>
    public static KeySet? Parse(ReadOnlySpan<byte> json)
    {
        if (!PeerJson.TryParse(json.ToArray(), out JsonElement root) || root.ValueKind != JsonValueKind.Object)
            return null;
        List<SigningKey> keys = root.TryGetProperty("keys"u8, out JsonElement list)
            ? list.ValueKind != JsonValueKind.Array ? [] : [.. list.EnumerateArray().Select(SigningKey.Of).OfType<SigningKey>()]
            : [.. root.EnumerateObject()
                .Select(static p => p.Value.ValueKind == JsonValueKind.String
                    ? SigningKey.OfCertificate(p.Name, p.Value.GetString()!) : null).OfType<SigningKey>()];
        return keys.Count == 0 ? null : new KeySet(keys);
    }

    /// <summary>Verifies a signature: by the key that the token names, or by any where it names none.</summary>
    public JwtStatus Verify(Token token)
    {
        JwtStatus status = JwtStatus.KidAlgMismatch;
        for (int i = 0; i < keys.Count; i++)
        {
            SigningKey key = keys[i];
            if ((token.KeyId.Length > 0 && key.Id.Length > 0 && key.Id != token.KeyId)
                || (key.Algorithm.Length > 0 && key.Algorithm != token.Algorithm))
                continue;
            JwtStatus one = key.Verify(token);
            if (one is JwtStatus.Ok or JwtStatus.Ed25519WrongLength)
                return one;
            status = JwtStatus.VerificationFails;
        }
        return status;
    }
}
