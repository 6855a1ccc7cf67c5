using System.Globalization;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Config.Resources;

namespace Lateen.Config.Store;

/// <summary>A revision as a file: YAML, so that people can read it; the texts of objects stand in it as they were written.</summary>
internal static class RevisionText
{
    private const int LineMax = 1_000_000;

    public static string Write(Revision revision) => NodeText.ToYaml(Mapping(
        ("revision", Number(revision.Number)),
        ("time", Text(revision.Time.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture))),
        ("author", Text(revision.Author)),
        ("reason", Text(revision.Reason)),
        ("objects", new SequenceNode(revision.Entries.Select(Entry).ToArray(), 0, 0))));

    public static Revision? Read(string text, string file, DiagnosticBag diagnostics)
    {
        var mistakes = new DiagnosticBag();
        var root = DocumentReader.ReadSingle(text, file, mistakes) as MappingNode;
        if (root?["objects"] is not SequenceNode objects
            || root["revision"] is not ScalarNode number
            || !long.TryParse(number.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed)
            || !DateTimeOffset.TryParse(root.Text("time"), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var time))
        {
            diagnostics.Add(StoreCodes.JournalUnreadable, new SourcePosition(file, 1, 1), "",
                mistakes.Count > 0 ? mistakes[0].Text : "the file is no revision");
            return null;
        }

        var entries = objects.Items.OfType<MappingNode>().Select(Entry).OfType<RevisionEntry>().ToArray();
        return new Revision(parsed, time, root.Text("author") ?? "", root.Text("reason") ?? "", entries);
    }

    private static MappingNode Entry(RevisionEntry entry)
    {
        var members = new List<(string, Node)> { ("group", Text(entry.Key.Kind.Group)), ("kind", Text(entry.Key.Kind.Name)),
            ("namespace", Text(entry.Key.Namespace)), ("name", Text(entry.Key.Name)) };
        if (entry.File.Length > 0)
        {
            members.Add((entry.IsWatched ? "file" : "applied", Text(entry.File)));
            members.Add(("line", Number(entry.Line)));
        }

        if (entry.Before is { } before) members.Add(("before", Text(before)));
        if (entry.After is { } after) members.Add(("after", Text(after)));
        return Mapping(members.ToArray());
    }

    private static RevisionEntry? Entry(MappingNode node) =>
        Kinds.Find(node.Text("group") ?? "", node.Text("kind") ?? "") is { } kind
            ? new RevisionEntry(
                new ResourceKey(kind, node.Text("namespace") ?? "", node.Text("name") ?? ""), node.Text("before"), node.Text("after"),
                node.Text("file") ?? node.Text("applied") ?? "", LineOf(node), node["file"] is not null)
            : null;

    private static int LineOf(MappingNode node) =>
        node["line"] is ScalarNode line && int.TryParse(line.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? Math.Clamp(number, 1, LineMax) : 1;

    private static MappingNode Mapping(params (string Name, Node Value)[] members) =>
        new(members.Select(m => new NodeMember(m.Name, m.Value, 0, 0)).ToArray(), 0, 0);

    private static ScalarNode Text(string value) => new(value, ScalarKind.Text, 0, 0);

    private static ScalarNode Number(long value) => new(value.ToString(CultureInfo.InvariantCulture), ScalarKind.Integer, 0, 0);
}
