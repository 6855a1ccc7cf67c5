using System.Globalization;
using Lateen.Api.Diagnostics;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Codes = Lateen.Config.Analysis.AnalysisCodes;

namespace Lateen.Config.Analysis.Analyzers;

/// <summary>Annotations of the mesh on objects of Kubernetes.</summary>
internal static class AnnotationAnalysis
{
    /// <summary>What the platform writes itself, or what is a label elsewhere: nobody's mistake.</summary>
    private static readonly HashSet<string> NotTheUsers = ["sidecar.istio.io/status", "ambient.istio.io/redirection", "istio.io/rev"];

    /// <summary>What the injector writes beside a CNI plugin.</summary>
    private static readonly Dictionary<string, string> InjectorDefaults = new()
    {
        ["sidecar.istio.io/interceptionMode"] = "REDIRECT",
        ["traffic.sidecar.istio.io/includeOutboundIPRanges"] = "*",
        ["traffic.sidecar.istio.io/includeInboundPorts"] = "*",
        ["traffic.sidecar.istio.io/excludeInboundPorts"] = "15020",
    };

    public static void Placement(AnalysisContext context)
    {
        foreach (var (resource, kind, path, annotations) in Annotated(context))
        {
            foreach (var (name, value) in annotations.Where(a => !NotTheUsers.Contains(a.Key)))
            {
                if (!AnnotationTable.All.TryGetValue(name, out var known))
                {
                    if (name.Split('/') is [var domain, _]
                        && (domain == "istio.io" || domain.EndsWith(".istio.io", StringComparison.Ordinal)))
                    {
                        context.Report(Codes.UnknownAnnotation, resource, path,
                            $"there is no annotation {name}{Suggestions.DidYouMean(name, AnnotationTable.All.Keys)}");
                    }

                    continue;
                }

                Judge(context, resource, kind, path, name, value, known);
            }
        }
    }

    private static void Judge(AnalysisContext context, Resource resource, string kind, string path, string name, string value,
        KnownAnnotation known)
    {
        if (known.Kinds.Count > 0 && !known.Kinds.Contains(kind))
        {
            context.Report(Codes.MisplacedAnnotation, resource, path, $"{name} can only be applied to {string.Join(", ", known.Kinds)}");
        }

        if (known.IsDeprecated) context.Report(Codes.DeprecatedAnnotation, resource, path, $"{name} is deprecated");
        if (Problem(value, known.Form) is { } reason) context.Report(Codes.InvalidAnnotation, resource, path, $"{name}: {reason}");
    }

    public static void Alpha(AnalysisContext context)
    {
        foreach (var (resource, _, path, annotations) in Annotated(context))
        {
            foreach (var (name, value) in annotations.Where(a => !NotTheUsers.Contains(a.Key)))
            {
                var isInjectors = InjectorDefaults.GetValueOrDefault(name) == value && UsesPlugin(resource);
                if (AnnotationTable.All.TryGetValue(name, out var known) && known.IsAlpha && !isInjectors)
                    context.Report(Codes.AlphaAnnotation, resource, path, $"{name} is alpha");
            }
        }
    }

    private static bool UsesPlugin(Resource resource) =>
        resource is Resource<Kubernetes.Core.V1.Pod> { Spec.Spec: { } spec } && spec.InitContainers.Any(c => c.Name == "istio-validation");

    private static IEnumerable<(Resource Resource, string Kind, string Path,
        IReadOnlyCollection<KeyValuePair<string, string>> Annotations)> Annotated(AnalysisContext context)
    {
        ResourceKind[] kinds = [Kinds.Namespace, Kinds.Service, Kinds.Pod, Kinds.Deployment];
        foreach (var resource in kinds.SelectMany(context.View.Untyped))
        {
            yield return (resource, resource.Kind.Name, "metadata.annotations", resource.Annotations);
            if (resource is Resource<Kubernetes.Apps.V1.Deployment> { Spec.Spec.Template.Metadata: { } template })
            {
                yield return (resource, "Pod", "spec.template.metadata.annotations", template.Annotations);
            }
        }
    }

    private static string? Problem(string value, AnnotationForm form) => form switch
    {
        AnnotationForm.Boolean when value.ToLowerInvariant() is not ("true" or "false" or "enabled" or "disabled" or "1" or "0") =>
            $"\"{value}\" is neither true nor false",
        AnnotationForm.Number when !uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out _) =>
            $"\"{value}\" is no number",
        AnnotationForm.Ports => Parts(value).FirstOrDefault(p => !IsPorts(p)) is { } port ? $"\"{port}\" is no port" : null,
        AnnotationForm.Ranges => Parts(value).FirstOrDefault(r => NameRules.Subnet(r) is not null) is { } range
            ? $"\"{range}\" is no range of addresses" : null,
        _ => null,
    };

    private static IEnumerable<string> Parts(string value) =>
        value == "*" ? [] : value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>A port, or two with a hyphen between them.</summary>
    private static bool IsPorts(string text) =>
        text.Split('-') is { Length: <= 2 } ends
            && ends.All(e => int.TryParse(e, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is >= 0 and <= 65535);
}
