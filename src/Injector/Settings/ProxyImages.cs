using System.Text.Json.Nodes;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Settings;

/// <summary>Which image a proxy runs.</summary>
public static class ProxyImages
{
    private static readonly string[] Types = ["distroless", "debug"];

    /// <summary>Hub, name and tag of the installation, with the kind of image that is asked for: by the pod, else by its proxy's
    /// settings.</summary>
    /// <param name="values">Settings of the installation.</param>
    /// <param name="imageType">Kind that the proxy's settings tell; empty for none.</param>
    /// <param name="annotations">Annotations of the pod.</param>
    /// <param name="part">Part of the settings that names the image.</param>
    /// <param name="otherwise">Its name where they don't.</param>
    public static string Of(JsonObject values, string imageType, IReadOnlyDictionary<string, string> annotations, string part = "proxy",
        string otherwise = "proxyv2")
    {
        var global = values["global"];
        if (annotations.TryGetValue("sidecar.istio.io/proxyImageType", out var annotated)) imageType = annotated;
        var name = (global as JsonObject)?[part].Word("image") is { Length: > 0 } named ? named : otherwise;
        return $"{global.Word("hub")}/{name}:{Tagged(global.Word("tag") ?? "", imageType)}";
    }

    private static string Tagged(string tag, string type)
    {
        if (type.Length == 0) return tag;
        var suffix = Types.Select(known => "-" + known).FirstOrDefault(known => tag.EndsWith(known, StringComparison.Ordinal));
        if (suffix is not null) tag = tag[..^suffix.Length];
        return type == "default" ? tag : $"{tag}-{type}";
    }
}
