using System.Text.Json.Nodes;
using Google.Protobuf;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.ControlPlane.Cluster;

namespace Lateen.ControlPlane.Operator;

/// <summary>Resources and diagnostics in the form of the operator's API.</summary>
public static class ObjectRows
{
    /// <summary>The kinds the operator may name.</summary>
    public static IReadOnlyList<KindRow> Kinds { get; } =
        [.. Config.Resources.Kinds.All.Select(
            kind => new KindRow(kind.Name, kind.Group, kind.Versions[0], kind.Plural, kind.ShortNames, kind.IsNamespaced))];

    /// <summary>The kind that a word means, or why none.</summary>
    public static ResourceKind? KindOf(string word, out No refusal)
    {
        ResourceKind? kind = Config.Resources.Kinds.FindByWord(word);
        IEnumerable<string> words =
            Config.Resources.Kinds.All.SelectMany(known => known.ShortNames.Append(known.Plural).Append(known.Name.ToLowerInvariant()));
        string? nearest = kind is null ? Suggestions.Nearest(word, words) : null;
        refusal = kind is null
            ? No.NotFound($"the mesh knows no kind \"{word}\"",
                nearest is null ? "`lateen get all` shows what is there." : $"Did you mean \"{nearest}\"?") : default;
        return kind;
    }

    /// <summary>A resource with what is to be said about it.</summary>
    /// <param name="resource">As written.</param>
    /// <param name="revision">The last revision that changed it.</param>
    /// <param name="changedAt">When that was.</param>
    /// <param name="diagnostics">What is wrong with it.</param>
    /// <param name="conditions">The status that the control plane gives it; null to leave what was written.</param>
    public static StoredObject Of(Resource resource, long revision, DateTimeOffset changedAt, IReadOnlyList<Diagnostic> diagnostics,
        IMessage? conditions) => new(
            resource.Kind.Name, Name(resource.Key), Json(resource, diagnostics, conditions),
            resource.Origin.Position is { File.Length: > 0 } place
                ? $"{place.File}:{place.Line}" : null, revision, changedAt, [.. diagnostics.Select(Finding)]);

    /// <summary>singular.group/name, as kubectl prints a resource.</summary>
    public static string Name(ResourceKey key) =>
        $"{key.Kind.Name.ToLowerInvariant()}{(key.Kind.Group.Length == 0 ? "" : "." + key.Kind.Group)}/{key.Name}";

    /// <summary>What happened to one resource.</summary>
    public static ObjectOutcome Outcome(ResourceKey key, string outcome) =>
        new(Name(key), key.Namespace.Length == 0 ? null : key.Namespace, outcome);

    /// <summary>A diagnostic as the API has it.</summary>
    public static Finding Finding(Diagnostic diagnostic) => new(
        diagnostic.Level.ToString().ToLowerInvariant(),
        diagnostic.Code.Id,
        Present(diagnostic.Resource),
        diagnostic.Position.IsKnown ? diagnostic.Position.ToString() : null,
        Text(diagnostic),
        Present(diagnostic.Remedy));

    /// <summary>Whether a resource has the labels of a selector: k=v, k==v, k!=v, k, !k, separated by commas.</summary>
    public static bool Matches(Resource resource, string selector)
    {
        foreach (string part in selector.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int sign = part.IndexOf('=');
            bool matches = sign < 0
                ? part[0] == '!' ? !resource.Labels.ContainsKey(part[1..]) : resource.Labels.ContainsKey(part)
                : part[sign - 1 < 0 ? 0 : sign - 1] == '!' ? resource.Labels.GetValueOrDefault(part[..(sign - 1)]) != part[(sign + 1)..]
                : resource.Labels.GetValueOrDefault(part[..sign]) == part[(sign + 1)..].TrimStart('=');
            if (!matches) return false;
        }
        return true;
    }

    // Findings stand in the status as Istio's analysis puts them there, for whoever reads the object and not this API.
    private static JsonObject Json(Resource resource, IReadOnlyList<Diagnostic> diagnostics, IMessage? conditions)
    {
        JsonObject json = JsonNode.Parse(NodeText.ToJson(ResourceNodes.Of(resource), indented: false))!.AsObject();
        if (conditions is not null)
            json["status"] = StatusForm.Complete(JsonNode.Parse(JsonFormatter.Default.Format(conditions))!.AsObject());
        if (diagnostics.Count == 0 || !resource.Kind.MessageIsSpec) return json;
        if (json["status"] is not JsonObject status) json["status"] = status = [];
        status["validationMessages"] = new JsonArray([.. diagnostics.Select(diagnostic => (JsonNode)new JsonObject
        {
            ["type"] = new JsonObject { ["code"] = diagnostic.Code.Id },
            ["level"] = diagnostic.Level.ToString().ToUpperInvariant(),
            ["message"] = Text(diagnostic),
        })]);
        return json;
    }

    private static string Text(Diagnostic diagnostic) =>
        diagnostic.Path.Length == 0 || diagnostic.Text.StartsWith(diagnostic.Path, StringComparison.Ordinal)
            ? diagnostic.Text : $"{diagnostic.Path}: {diagnostic.Text}";

    private static string? Present(string text) => text.Length == 0 ? null : text;
}
