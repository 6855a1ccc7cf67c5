namespace Lateen.Citadel.Callers;

/// <summary>Tokens that callers bring in the header "authorization".</summary>
internal static class BearerTokens
{
    private const string Prefix = "Bearer ";

    /// <summary>The first bearer token of the headers. Null with the problem said if there is none.</summary>
    /// <param name="headers">Headers of the request by lower-case name; null if it has none at all.</param>
    /// <param name="problem">What is missing.</param>
    public static string? Find(IReadOnlyDictionary<string, IReadOnlyList<string>>? headers, out string? problem)
    {
        problem = null;
        if (headers is null) problem = "no metadata is attached";
        else if (!headers.TryGetValue("authorization", out var values)) problem = "no HTTP authorization header exists";
        else if (values.FirstOrDefault(static v => v.StartsWith(Prefix, StringComparison.Ordinal)) is { } value)
            return value[Prefix.Length..];
        else problem = "no bearer token exists in HTTP authorization header";
        return null;
    }
}
