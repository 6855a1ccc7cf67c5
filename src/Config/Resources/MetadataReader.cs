using Kubernetes.Meta.V1;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Api.Names;

namespace Lateen.Config.Resources;

/// <summary>Reads the envelope of an object.</summary>
internal static class MetadataReader
{
    private const int NameCharsMax = 253;

    /// <summary>The metadata, or null when the object has no usable name.</summary>
    public static ResourceMetadata? Read(MappingNode root, ResourceKind kind, string file, string defaultNamespace,
        DiagnosticBag diagnostics)
    {
        var node = root["metadata"];
        var read = new DiagnosticBag();
        var meta = new MessageReader(file, read, UnknownFields.Ignore).Read<ObjectMeta>(node, "metadata");
        foreach (var mistake in read)
            diagnostics.Add(mistake with { Code = ResourceCodes.BadMetadata, Remedy = ResourceCodes.BadMetadata.Remedy });
        var place = new SourcePosition(file, (node ?? root).Line, (node ?? root).Column);
        if (meta.Name.Length == 0)
        {
            var hint = meta.GenerateName.Length > 0 ? "; generateName needs an API server that makes one" : "";
            diagnostics.Add(ResourceCodes.NoName, place, "metadata.name", "metadata.name is missing" + hint);
            return null;
        }

        if (!CheckName(kind, meta.Name))
        {
            // A cluster refuses it, a folder need not: what only the case of letters makes wrong is a warning.
            var onlyCase = CheckName(kind, meta.Name.ToLowerInvariant());
            diagnostics.Add(new Diagnostic
            {
                Code = ResourceCodes.BadName, Level = onlyCase
                    ? DiagnosticLevel.Warning : DiagnosticLevel.Error, Position = place, Path = "metadata.name",
                Text = $"\"{meta.Name}\" is not a valid name", Remedy = ResourceCodes.BadName.Remedy,
            });
        }

        return Envelope(meta, kind, place, defaultNamespace, diagnostics);
    }

    private static ResourceMetadata Envelope(ObjectMeta meta, ResourceKind kind, SourcePosition place, string defaultNamespace,
        DiagnosticBag diagnostics)
    {
        var ns = meta.Namespace.Length > 0 ? meta.Namespace : defaultNamespace;
        if (!kind.IsNamespaced)
        {
            if (meta.Namespace.Length > 0)
                diagnostics.Add(ResourceCodes.NamespaceIgnored, place, "metadata.namespace", $"{kind.Name} has no namespaces");
            ns = "";
        }
        else if (!NameRules.IsLabel(ns) || ns.Any(char.IsAsciiLetterUpper))
            diagnostics.Add(ResourceCodes.BadName, place, "metadata.namespace", $"\"{ns}\" is not a valid namespace");
        return new ResourceMetadata
        {
            Name = KeptForm.Text(meta.Name),
            Namespace = KeptForm.Text(ns),
            Labels = KeptForm.Labels(meta.Labels),
            Annotations = KeptForm.Labels(meta.Annotations),
            CreationTime = meta.CreationTimestamp?.ToDateTimeOffset(),
            DeletionTime = meta.DeletionTimestamp?.ToDateTimeOffset(),
            Generation = meta.Generation,
            ResourceVersion = meta.ResourceVersion,
            Uid = meta.Uid,
            Owners = meta.OwnerReferences.Select(
                o => new OwnerReference(KeptForm.Text(o.ApiVersion), KeptForm.Text(o.Kind), KeptForm.Text(o.Name), KeptForm.Text(o.Uid),
                    o.Controller)).ToArray(),
        };
    }

    /// <summary>Names are domain names in lower case (RFC 1123 subdomains); some of Kubernetes' own objects have colons in
    /// theirs.</summary>
    private static bool CheckName(ResourceKind kind, string name) =>
        name.Length <= NameCharsMax
        && (kind.Model == KindModel.Partial
            ? !name.AsSpan().ContainsAny("/%")
            : name.Split('.').All(l => NameRules.IsLabel(l)) && !name.Any(char.IsAsciiLetterUpper));
}
