using Istio.Mesh.V1Alpha1;
using Lateen.Api.Diagnostics;
using Lateen.Registry;
using ProxyConfigResource = Istio.Networking.V1Beta1.ProxyConfig;

namespace Lateen.Pilot.Meaning.Settings;

/// <summary>The configuration a proxy starts with: the mesh's default, the pod's annotation, then ProxyConfig resources, each over the one
/// before.</summary>
public static class ProxyConfigs
{
    private const string Annotation = "proxy.istio.io/config";

    /// <summary>What holds for a workload.</summary>
    /// <param name="index">ProxyConfig resources.</param>
    /// <param name="rootNamespace">Root namespace: its resource without selector is for the mesh.</param>
    /// <param name="defaults">Default of the mesh.</param>
    /// <param name="ns">Namespace of the workload.</param>
    /// <param name="labels">Labels of the workload.</param>
    /// <param name="annotations">Annotations of the workload.</param>
    public static ProxyConfig Effective(
        ExtensionIndex index, string rootNamespace, ProxyConfig defaults, string ns,
        IReadOnlyDictionary<string, string> labels, IReadOnlyDictionary<string, string> annotations)
    {
        var effective = defaults;
        if (annotations.TryGetValue(Annotation, out var text))
            effective = MeshConfigs.Overlay(effective, text, Annotation, new DiagnosticBag());
        var mesh = Unselected(index, rootNamespace);
        var ofNamespace = ns == rootNamespace ? null : Unselected(index, ns);
        var ofWorkload = index.ProxyConfigs.GetValueOrDefault(ns, [])
            .FirstOrDefault(config => config.Spec.Selector is { MatchLabels.Count: > 0 } selector
                && LabelSelection.IsSubset(selector.MatchLabels.AsReadOnly(), labels));
        foreach (var layer in new[] { mesh, ofNamespace, ofWorkload?.Spec })
        {
            if (layer is not null) effective = Merge(Convert(layer), effective)!;
        }
        return effective;
    }

    /// <summary>The first over the second; metadata is merged key by key.</summary>
    public static ProxyConfig? Merge(ProxyConfig? over, ProxyConfig? below)
    {
        if (over is null || below is null) return over ?? below;
        var merged = below.Clone();
        foreach (var (key, value) in over.ProxyMetadata) merged.ProxyMetadata[key] = value;
        foreach (var field in ProxyConfig.Descriptor.Fields.InDeclarationOrder())
        {
            if (field.IsMap) continue;
            var isSet = field.IsRepeated
                ? ((System.Collections.IList)field.Accessor.GetValue(over)).Count > 0
                : field.HasPresence ? field.Accessor.HasValue(over) : !IsDefault(field.Accessor.GetValue(over));
            if (!isSet) continue;
            if (field.IsRepeated)
            {
                field.Accessor.Clear(merged);
                var target = (System.Collections.IList)field.Accessor.GetValue(merged);
                foreach (var item in (System.Collections.IList)field.Accessor.GetValue(over)) target.Add(item);
            }
            else
            {
                field.Accessor.SetValue(merged, field.Accessor.GetValue(over));
            }
        }
        return merged;
    }

    /// <summary>A ProxyConfig resource in the words of the mesh configuration.</summary>
    public static ProxyConfig Convert(ProxyConfigResource resource)
    {
        var converted = new ProxyConfig();
        if (resource.Concurrency is { } concurrency) converted.Concurrency = concurrency;
        if (resource.Image is not null) converted.Image = resource.Image;
        converted.ProxyMetadata.Add(resource.EnvironmentVariables);
        return converted;
    }

    private static ProxyConfigResource? Unselected(ExtensionIndex index, string ns) =>
        index.ProxyConfigs.GetValueOrDefault(ns, [])
            .FirstOrDefault(config => config.Spec.Selector is null or { MatchLabels.Count: 0 })?.Spec;

    private static bool IsDefault(object? value) => value switch
    {
        null => true,
        string text => text.Length == 0,
        bool flag => !flag,
        int number => number == 0,
        uint number => number == 0,
        Enum word => Convert32(word) == 0,
        _ => false,
    };

    private static int Convert32(Enum word) => System.Convert.ToInt32(word, System.Globalization.CultureInfo.InvariantCulture);
}
