using System.Text.Json;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.GatewayApi.Standard;

/// <summary>
/// Tests change objects while they run, and the record has their checks only. What it tells nevertheless: a condition that is first
/// expected one way and then another was changed in between, so that the first expectation is about the manifests; and a route that is
/// waited for and is in no manifest was made as the one before it, later.
/// </summary>
internal static class UnrecordedSteps
{
    private static readonly string[] RouteKinds = ["HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"];

    /// <summary>The checks that are about the manifests as they are written.</summary>
    public static IEnumerable<JsonElement> AsWritten(IEnumerable<JsonElement> checks)
    {
        var expected = new Dictionary<string, string>();
        foreach (JsonElement check in checks)
        {
            JsonElement[] args = [.. check.GetProperty("args").EnumerateArray()];
            if (args.Length < 2 || args[^1].ValueKind != JsonValueKind.Object || args[^1].Text("status").Length == 0)
            {
                yield return check;
                continue;
            }
            string about = $"{check.Text("check")} {string.Join(' ', args[..^1].Select(arg => arg.GetRawText()))} {args[^1].Text("type")}",
                status = args[^1].Text("status");
            if (expected.TryAdd(about, status) || expected[about] == status) yield return check;
        }
    }

    /// <summary>Manifests of routes that a test makes itself.</summary>
    public static IEnumerable<string> Routes(IEnumerable<JsonElement> checks, IReadOnlyList<string> manifests)
    {
        string[] documents = [.. manifests.SelectMany(text => ("\n" + text).Split("\n---"))];
        foreach (JsonElement check in checks)
        {
            string kind = check.Text("check").Split("Must")[0];
            JsonElement[] args = [.. check.GetProperty("args").EnumerateArray()];
            if (!RouteKinds.Contains(kind) || args is not [{ ValueKind: JsonValueKind.Object } route, ..]
                || route.Text("name") is not { Length: > 0 } name) continue;
            if (documents.Any(document => document.Contains($"\n  name: {name}\n", StringComparison.Ordinal))) continue;
            if (documents.FirstOrDefault(document => document.Contains($"\nkind: {kind}\n", StringComparison.Ordinal)) is not { } model)
                continue;
            int at = model.IndexOf("\n  name: ", StringComparison.Ordinal), end = model.IndexOf('\n', at + 1);
            yield return $"{model[..at]}\n  name: {name}\n  creationTimestamp: \"2026-06-01T00:00:00Z\"{model[end..]}";
        }
    }
}
