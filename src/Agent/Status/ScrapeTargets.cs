using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Lateen.Agent.Status;

/// <summary>Where the application shows metrics.</summary>
public sealed record ScrapeTarget(string Port, string Path);

/// <summary>What the workload's annotations say of the application's metrics (ISTIO_PROMETHEUS_ANNOTATIONS).</summary>
/// <param name="Scrape">Whether it has any.</param>
/// <param name="Port">The first target's port.</param>
/// <param name="Targets">All targets, one at least.</param>
public sealed record ScrapeTargets(bool Scrape, string Port, IReadOnlyList<ScrapeTarget> Targets)
{
    private const string PortOtherwise = "80", PathOtherwise = "/metrics";

    // Ports of the agent and the proxy: their metrics are there already, and asking the agent would ask in a circle.
    private static readonly int[] Reserved = [15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090];

    /// <summary>Reads the variable.</summary>
    /// <returns>The targets, or what is wrong.</returns>
    public static (ScrapeTargets? Targets, string Error) Read(string json)
    {
        JsonObject? root;
        try
        {
            root = JsonNode.Parse(json) as JsonObject;
        }
        catch (JsonException malformed)
        {
            return (null, $"failed to decode prometheus annotations: {malformed.Message}");
        }
        if (root is null) return (null, "failed to decode prometheus annotations: they are no object");
        List<ScrapeTarget> targets = [.. (root["targets"] as JsonArray ?? []).OfType<JsonObject>()
            .Select(target => new ScrapeTarget(Text(target, "port", PortOtherwise), Text(target, "path", PathOtherwise)))];
        string port = Text(root, "port", targets.Count > 0 ? targets[0].Port : PortOtherwise);
        if (targets.Count == 0) targets.Add(new ScrapeTarget(port, Text(root, "path", PathOtherwise)));
        foreach (ScrapeTarget target in targets)
        {
            if (Problem(target.Port) is { } problem) return (null, problem);
        }
        return (new ScrapeTargets(Text(root, "scrape", "") == "true", port, targets), "");
    }

    /// <summary>Reads a list such as <c>8080:/metrics,9100</c>, as the annotation has it. Empty parts are left out.</summary>
    /// <returns>The targets, or what is wrong.</returns>
    public static (IReadOnlyList<ScrapeTarget> Targets, string Error) ParseList(string text)
    {
        var targets = new List<ScrapeTarget>();
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            int colon = part.IndexOf(':', StringComparison.Ordinal);
            string port = colon < 0 ? part : part[..colon], path = colon < 0 ? "" : part[(colon + 1)..];
            if (!int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number is 0 or > 65535)
                return ([], $"\"{part}\" names no port");
            targets.Add(new ScrapeTarget(port, path.Length > 0 ? path : PathOtherwise));
        }
        return (targets, "");
    }

    private static string? Problem(string port)
    {
        if (!int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out int number)) return $"\"{port}\" is no port";
        return Reserved.Contains(number)
            ? $"invalid prometheus scrape configuration: port {number} is one of the agent's or the proxy's own, which may lead to a "
                + $"recursive loop" : null;
    }

    private static string Text(JsonObject from, string name, string otherwise) =>
        from[name]?.ToString() is { Length: > 0 } text ? text : otherwise;
}
