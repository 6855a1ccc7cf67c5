using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace Lateen.Citadel.Callers;

/// <summary>What a JWT claims. Nothing here says that the claims are true: whoever believes them must have checked the signature.</summary>
internal static class TokenClaims
{
    /// <summary>Those the token is meant for. Null if it is no token or names none.</summary>
    public static IReadOnlyList<string>? AudiencesOf(string token)
    {
        if (Read(token) is not { } claims || !claims.TryGetProperty("aud", out var audience)) return null;
        return audience.ValueKind switch
        {
            JsonValueKind.String => [audience.GetString()!],
            JsonValueKind.Array when audience.EnumerateArray().All(static a => a.ValueKind == JsonValueKind.String) =>
                audience.EnumerateArray().Select(static a => a.GetString()!).ToList(),
            _ => null,
        };
    }

    /// <summary>All claims. Null if it is no token.</summary>
    public static JsonElement? Read(string token)
    {
        if (token.Split('.') is not [_, var payload, _]) return null;
        try
        {
            using var document = JsonDocument.Parse(Base64Url.DecodeFromChars(payload));
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (Exception error) when (error is FormatException or JsonException or DecoderFallbackException)
        {
            return null;
        }
    }
}
