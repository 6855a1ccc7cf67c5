using Istio.Mesh.V1Alpha1;
using Enrichment = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider.Types.OpenTelemetryTracingProvider.Types.ServiceAttributeEnrichment;

namespace Lateen.Injector.Templates.Functions;

/// <summary>What OpenTelemetry calls a resource: attributes of a pod that its proxy puts on every span, by OpenTelemetry's conventions for
/// Kubernetes.</summary>
internal static class ResourceAttributes
{
    private const string Prefix = "resource.opentelemetry.io/";

    /// <summary>Comma-separated attributes; empty where no provider of the mesh asks for them.</summary>
    /// <param name="mesh">MeshConfig.</param>
    /// <param name="annotations">Annotations of the pod, of which those with OpenTelemetry's prefix win.</param>
    /// <param name="labels">Labels of the pod.</param>
    /// <param name="ns">Its namespace; empty for the default one.</param>
    /// <param name="containers">Its containers.</param>
    public static string Of(ProtoObject? mesh, IReadOnlyDictionary<string, object?> annotations,
        IReadOnlyDictionary<string, object?> labels, string ns, IReadOnlyList<object?> containers)
    {
        if (mesh?.Message is not MeshConfig { ExtensionProviders: var providers }
            || !providers.Any(provider => provider.Opentelemetry is { ServiceAttributeEnrichment: Enrichment.OtelSemanticConventions }))
            return "";
        if (ns.Length == 0) ns = "default";
        var applications = containers.OfType<GoObject>()
            .Select(container => (Name: Text(container, "Name"), Image: Text(container, "Image")))
            .Where(container => container.Name != "istio-proxy").ToList();
        string Annotated(string attribute, string otherwise) =>
            annotations.TryGetValue(Prefix + attribute, out var written) ? TemplateValues.Text(written) : otherwise;
        var version = labels.TryGetValue("app.kubernetes.io/version", out var labelled)
            ? TemplateValues.Text(labelled) : applications is [var only] ? VersionOf(only.Image) : "";
        (string Name, string Value)[] attributes =
        [
            ("service.namespace", Annotated("service.namespace", ns)),
            ("service.version", Annotated("service.version", version)),
            ("service.instance.id",
                Annotated("service.instance.id", applications.Count > 0 ? $"{ns}.$(POD_NAME).{applications[0].Name}" : "")),
        ];
        return string.Join(',', attributes.Where(attribute => attribute.Value.Length > 0)
            .Select(attribute => $"{attribute.Name}={attribute.Value}"));
    }

    // Tag and digest; a colon before the last slash is that of a registry's port.
    private static string VersionOf(string image)
    {
        var name = image[(image.LastIndexOf('/') + 1)..];
        var at = name.IndexOfAny([':', '@']);
        return at < 0 ? "" : name[(at + 1)..];
    }

    private static string Text(GoObject of, string field) => TemplateValues.Text(of.Field(field));
}
