using System.Text.Json;
using System.Text.Json.Nodes;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.ControlPlane.Findings;

namespace Lateen.ControlPlane.Operator;

/// <summary>A proxy knows which resource asked for a decision, as Istio's metadata names it; which file and line that is, only the control plane knows.</summary>
public static class OriginPlaces
{
    /// <summary>The page of an explanation with each station's origin as people name it: kind, namespace/name, file:line. Any other page as it is.</summary>
    /// <param name="page">What the proxy's admin address said.</param>
    /// <param name="find">The resource of a key, as it is kept now; null where it has gone.</param>
    public static AdminPage Named(AdminPage page, Func<ResourceKey, Resource?> find)
    {
        if (page.ContentType != "application/json" || Parsed(page.Text) is not { } record || record["stations"] is not JsonArray stations) return page;
        foreach (JsonNode? station in stations)
        {
            if (station is not JsonObject step || ConfigPaths.KeyOf(step["origin"]?.ToString() ?? "") is not { } key) continue;
            step["origin"] = find(key) is { } resource ? $"{key.Kind.Name} {key.Namespace}/{key.Name} {Place(resource, step["decision"]?.ToString() ?? "")}".TrimEnd() : $"{key.Kind.Name} {key.Namespace}/{key.Name} (gone since)";
        }
        return page with { Text = record.ToJsonString() };
    }

    // A rule that has a name is found again by it; the line is then the rule's own.
    private static string Place(Resource resource, string decision)
    {
        string path = "";
        if (resource is Resource<VirtualService> { Spec.Http: { } rules } && RuleOf(decision) is { Length: > 0 } rule)
        {
            for (int i = 0; i < rules.Count; i++)
            {
                if (rules[i].Name == rule) path = $"spec.http[{i}]";
            }
        }
        return resource.PositionOf(path) is { File.Length: > 0 } at ? $"{at.File}:{at.Line}" : "";
    }

    // The decision of the station Route: "..., route NAME (what it matches)".
    private static string RuleOf(string decision)
    {
        const string Mark = ", route ";
        int at = decision.LastIndexOf(Mark, StringComparison.Ordinal);
        if (at < 0) return "";
        string rest = decision[(at + Mark.Length)..];
        return rest.IndexOf(" (", StringComparison.Ordinal) is > 0 and var end ? rest[..end] : rest;
    }

    private static JsonObject? Parsed(string text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
