using System.Globalization;
using Lateen.Api.Diagnostics;
using Lateen.Api.Schemas;
using Lateen.Api.Documents;

namespace Lateen.Config.Resources;

/// <summary>What the decoder assumes.</summary>
public sealed record DecoderOptions
{
    public static readonly DecoderOptions Default = new();

    /// <summary>The namespace of objects that name none.</summary>
    public string DefaultNamespace { get; init; } = "default";

    /// <summary>See <see cref="ResourceOrigin.Source"/>.</summary>
    public string Source { get; init; } = "";

    /// <summary>Tell what is left alone because no mesh reads it (LTN2007).</summary>
    public bool TellUnused { get; init; } = true;

    /// <summary>What becomes of fields that a kind does not have; null for what the kind itself says.</summary>
    public UnknownFields? Unknown { get; init; }
}

/// <summary>Texts to resources: YAML or JSON, many documents, List kinds. What cannot become a resource is told, and the rest is
/// given.</summary>
public sealed class ResourceDecoder(DecoderOptions? options = null)
{
    private readonly DecoderOptions _options = options ?? DecoderOptions.Default;

    /// <summary>The resources of a text. One with an error inside is left out: it would not say what was meant.</summary>
    public IReadOnlyList<Resource> Decode(string text, string file, DiagnosticBag diagnostics)
    {
        var resources = new List<Resource>();
        foreach (var document in DocumentReader.Read(text, file, diagnostics))
        {
            if (document.Root is not null) Object(document, document.Root, "", resources, diagnostics);
        }

        return resources;
    }

    /// <summary>One object that is already a tree, as a cluster's API gives it.</summary>
    public Resource? Decode(Node root, DiagnosticBag diagnostics)
    {
        var resources = new List<Resource>();
        Object(new Document(root, "", "", 1), root, "", resources, diagnostics);
        return resources.Count == 1 ? resources[0] : null;
    }

    private void Object(Document document, Node node, string path, List<Resource> resources, DiagnosticBag diagnostics)
    {
        var place = new SourcePosition(document.File, node.Line, node.Column);
        if (node is not MappingNode root)
        {
            diagnostics.Add(ResourceCodes.NotAnObject, place, path, $"expected an object, found {node.Describe()}");
            return;
        }

        var (apiVersion, kindName) = (root.Text("apiVersion"), root.Text("kind"));
        if (string.IsNullOrEmpty(kindName)) diagnostics.Add(ResourceCodes.NoKind, place, Join(path, "kind"), "kind is missing");
        if (string.IsNullOrEmpty(apiVersion) && Kinds.Find("", kindName ?? "") is { } core)
        {
            // Istio's own tools read such objects; an API server would not.
            apiVersion = core.PreferredApiVersion;
            diagnostics.Add(new Diagnostic
            {
                Code = ResourceCodes.NoApiVersion, Level = DiagnosticLevel.Warning, Position = place, Path = Join(path, "apiVersion"),
                Text = $"apiVersion is missing; {apiVersion} is assumed", Remedy = $"add apiVersion: {apiVersion}",
            });
        }
        else if (string.IsNullOrEmpty(apiVersion))
            diagnostics.Add(ResourceCodes.NoApiVersion, place, Join(path, "apiVersion"), "apiVersion is missing");
        if (string.IsNullOrEmpty(kindName) || string.IsNullOrEmpty(apiVersion)) return;
        if (kindName.EndsWith("List", StringComparison.Ordinal) && root["items"] is SequenceNode items)
        {
            for (var i = 0; i < items.Items.Count; i++)
                Object(document, items.Items[i], Join(path, string.Create(CultureInfo.InvariantCulture, $"items[{i}]")), resources,
                    diagnostics);
        }
        else if (KindOf(root, apiVersion, kindName, document.File, diagnostics) is { } kind
            && Envelope(document, root, kind, path, diagnostics) is { } resource) resources.Add(resource);
    }

    private ResourceKind? KindOf(MappingNode root, string apiVersion, string name, string file, DiagnosticBag diagnostics)
    {
        var slash = apiVersion.IndexOf('/', StringComparison.Ordinal);
        var (group, version) = slash < 0 ? ("", apiVersion) : (apiVersion[..slash], apiVersion[(slash + 1)..]);
        if (Kinds.Find(group, name) is { } kind)
        {
            if (kind.Versions.Contains(version)) return kind;
            diagnostics.Add(ResourceCodes.UnknownVersion, At("apiVersion"), "apiVersion", $"{name} has no version \"{version}\"",
                $"use {string.Join(" or ", kind.Versions)}");
            return null;
        }

        if (Kinds.IsOwnGroup(group))
        {
            var hint = Suggestions.DidYouMean(name, Kinds.All.Where(k => k.Group == group).Select(k => k.Name));
            var elsewhere = hint.Length > 0 ? null : Kinds.All.FirstOrDefault(k => k.Name == name);
            diagnostics.Add(ResourceCodes.UnknownKind, At("kind"), "kind", $"{group} has no kind \"{name}\"{hint}",
                elsewhere is null ? null : $"use apiVersion: {elsewhere.PreferredApiVersion}");
            return null;
        }

        // A group that is nearly ours is a typing mistake; any other is somebody else's object in the same file.
        var nearest = Suggestions.Nearest(group, Kinds.All.Select(k => k.Group).Where(Kinds.IsOwnGroup).Distinct());
        if (group.Length > 0 && nearest is not null && Kinds.Find(nearest, name) is not null)
        {
            diagnostics.Add(ResourceCodes.UnknownKind, At("apiVersion"), "apiVersion",
                $"there is no group \"{group}\"; did you mean \"{nearest}\"?");
        }
        else if (_options.TellUnused)
            diagnostics.Add(ResourceCodes.NotUsed, At("kind"), "", $"{apiVersion} {name} is nothing that a mesh reads");
        return null;

        SourcePosition At(string member)
        {
            var node = root[member] ?? root;
            return new SourcePosition(file, node.Line, node.Column);
        }
    }

    private Resource? Envelope(Document document, MappingNode root, ResourceKind kind, string path, DiagnosticBag diagnostics)
    {
        var found = new DiagnosticBag();
        var metadata = MetadataReader.Read(root, kind, document.File, _options.DefaultNamespace, found);
        var message = kind.NewMessage();
        var status = (Google.Protobuf.IMessage?)null;
        if (kind.MessageIsSpec)
        {
            var reader = new MessageReader(document.File, found, UnknownOf(kind));
            ReadSpec(reader, root, message, document.File, found);
            if (root["status"] is { IsNull: false } written && kind.NewStatus() is { } empty)
            {
                // The status is other programs' word, of any version: what is not understood in it is no mistake of the user.
                new MessageReader(document.File, [], UnknownFields.Ignore).ReadInto(written, empty, "status");
                status = empty;
            }
        }
        else ReadWhole(root, kind, message, document.File, found);
        var label = metadata is null ? kind.Name : new ResourceKey(kind, metadata.Namespace, metadata.Name).ToString();
        foreach (var diagnostic in found) diagnostics.Add(diagnostic with { Resource = label });
        var origin = new ResourceOrigin
        {
            Source = _options.Source, File = document.File, Line = root.Line, Column = root.Column, Text = document.Text, TextLine =
                document.FirstLine, TextPath = path,
        };
        return found.HasErrors || metadata is null ? null : kind.NewResource(metadata, message, status, origin);
    }

    private static void ReadSpec(MessageReader reader, MappingNode root, Google.Protobuf.IMessage message, string file, DiagnosticBag found)
    {
        reader.ReadInto(root["spec"], message, "spec");
        foreach (var member in root.Members)
        {
            if (member.Name is not ("apiVersion" or "kind" or "metadata" or "spec" or "status"))
            {
                var hint = SchemaSet.Of(message.GetType()).Field(member.Name) is not null ? "; it belongs under spec" : "";
                found.Add(DocumentCodes.UnknownField, new SourcePosition(file, member.Line, member.Column), member.Name,
                    $"an object has no field \"{member.Name}\"{hint}");
            }
        }
    }

    private void ReadWhole(MappingNode root, ResourceKind kind, Google.Protobuf.IMessage message, string file, DiagnosticBag found)
    {
        var members = root.Members.Where(m => m.Name is not ("apiVersion" or "kind" or "metadata" or "status")).ToArray();
        new MessageReader(file, found, UnknownOf(kind)).ReadInto(new MappingNode(members, root.Line, root.Column), message);
        if (root["status"] is { IsNull: false } && root.Members.First(m => m.Name == "status") is var status)
        {
            new MessageReader(file, [], UnknownFields.Ignore).ReadInto(new MappingNode([status], root.Line, root.Column), message);
        }
    }

    private UnknownFields UnknownOf(ResourceKind kind) => kind.Model switch
    {
        KindModel.Whole or KindModel.Extensible when _options.Unknown is { } said => said,
        KindModel.Whole => UnknownFields.Error,
        KindModel.Extensible => UnknownFields.Warning,
        _ => UnknownFields.Ignore,
    };

    private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";
}
