using System.Text.Json;
using Lateen.Citadel.Callers;
using Lateen.Citadel.Certificates;

namespace Lateen.Test.Conformance.Runners.Tables.Rules;

/// <summary>Who asks the authority, and what its certificates name.</summary>
internal static class CallerTables
{
    // The peer of upstream's rows, which name none but in their errors.
    private const string Peer = "127.0.0.1:2301";

    public static string? Forwarded(JsonElement row, JsonElement context)
    {
        var made = ForwardedCallers.Authenticate(Peer, row.Text("xfccHeader"), [], out var problem);
        if (row.Text("authenticateErrMsg") is { Length: > 0 } error) return Rows.Same(problem, error);
        return made is null ? problem
            : Rows.Same(made.Proof, CallerProof.ClientCertificate)
                ?? Rows.SameList(made.Identities, row.GetProperty("caller").Texts("identities"));
    }

    public static string? Trusted(JsonElement row, JsonElement context) =>
        Rows.Same(TrustedPeers.Contains(row.Text("peer"), row.Text("cidr").Split(',', StringSplitOptions.RemoveEmptyEntries)),
            row.Flag("trusted"));

    public static string? Bearer(JsonElement row, JsonElement context)
    {
        var headers = row.Field("metadata")?.EnumerateObject()
            .ToDictionary(h => h.Name, h => (IReadOnlyList<string>)[.. h.Value.EnumerateArray().Select(v => v.GetString()!)],
                StringComparer.OrdinalIgnoreCase);
        var token = BearerTokens.Find(headers, out var problem);
        return Rows.Same(token ?? "", row.Text("expectedToken")) ?? Rows.Same(problem ?? "", row.Text("extractBearerTokenErrMsg"));
    }

    public static string? CommonName(JsonElement row, JsonElement context)
    {
        var made = CommonNames.Of(row.Text("host"), out var problem);
        return Rows.Same(problem is not null, row.Flag("expectErr")) ?? Rows.Same(made ?? "", row.Text("expectedCN"));
    }

    public static string? Audiences(JsonElement row, JsonElement context) =>
        Rows.SameList(TokenClaims.AudiencesOf(row.Text("jwt")) ?? [], row.Texts("aud"));
}
