using System.Globalization;
using System.Text.Json.Nodes;
using Istio.Mesh.V1Alpha1;
using Lateen.Injector.Templates;
using Lateen.Injector.Trees;
using Lateen.Injector.Settings;

namespace Lateen.Injector.Pods;

/// <summary>One place to scrape a pod: the agent's, which joins the proxy's metrics with the application's. Where those are is told to the
/// agent by what the pod's annotations said.</summary>
public static class MetricsMerge
{
    private const string Variable = "ISTIO_PROMETHEUS_ANNOTATIONS";
    private const string Targets = "prometheus.istio.io/scrape-targets";

    /// <summary>Whether metrics are joined: as the pod says, else as the mesh says.</summary>
    public static bool IsOn(MeshConfig mesh, IReadOnlyDictionary<string, string> annotations) =>
        (annotations.TryGetValue("prometheus.istio.io/merge-metrics", out var written) ? InjectionAnnotations.Flag(written) : null)
            ?? mesh.EnablePrometheusMerge ?? true;

    /// <summary>What the annotations tell about where an application's metrics are: scrape, path, port, and targets where there are
    /// several.</summary>
    public static JsonObject SettingsOf(IReadOnlyDictionary<string, string> annotations)
    {
        string Said(string name) => annotations.FirstOrDefault(annotation => Plain(annotation.Key) == name).Value ?? "";
        var settings = new JsonObject
        {
            ["scrape"] = Said("prometheus_io_scrape"),
            ["path"] = Said("prometheus_io_path"),
            ["port"] = Said("prometheus_io_port"),
        };
        if (!annotations.TryGetValue(Targets, out var written) || Parsed(written) is not { Count: > 0 } targets) return settings;
        // Agents that know one target only are told the first.
        if (settings.Word("port") is "") (settings["port"], settings["path"]) = (targets[0].Word("port"), targets[0].Word("path"));
        settings["targets"] = targets;
        return settings;
    }

    /// <summary>Points the pod's annotations to the agent.</summary>
    internal static void Apply(JsonObject pod, MeshConfig mesh)
    {
        var annotations = pod.Annotations();
        if (annotations.Any(annotation => Plain(annotation.Key) == "prometheus_io_scrape"
            && InjectionAnnotations.Flag(annotation.Value) == false) || !IsOn(mesh, annotations)) return;
        var port = mesh.DefaultConfig.StatusPort.ToString(CultureInfo.InvariantCulture);
        // It points there already: the pod is injected a second time, or its owner knows.
        if (annotations.Any(annotation => Plain(annotation.Key) == "prometheus_io_port" && annotation.Value == port)) return;
        var settings = SettingsOf(annotations);
        if (pod.Container(PodTree.Proxy) is { } proxy
            && settings.Any(setting => setting.Value is JsonArray || setting.Value?.ToString().Length > 0))
            proxy.AddVariable(Variable, settings.ToJsonString(PlainJson.Relaxed));
        Forget(pod);
        var written = pod.Ensure("metadata").Ensure("annotations");
        (written["prometheus.io/port"], written["prometheus.io/path"], written["prometheus.io/scrape"]) =
            (port, "/stats/prometheus", "true");
    }

    /// <summary>Takes away what points to the agent.</summary>
    internal static void Forget(JsonObject pod)
    {
        if (pod["metadata"]?["annotations"] is not JsonObject annotations) return;
        foreach (var name in annotations.Select(annotation => annotation.Key)
            .Where(name => name == Targets || Plain(name) is "prometheus_io_scrape" or "prometheus_io_path" or "prometheus_io_port")
            .ToArray()) annotations.Remove(name);
    }

    // Names are told apart as Prometheus does: what is no letter or digit is all the same.
    private static string Plain(string name) => string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c == '_' ? c : '_'));

    private static JsonArray? Parsed(string written)
    {
        var targets = new JsonArray();
        foreach (var target in written.Split(',').Select(target => target.Trim()).Where(target => target.Length > 0))
        {
            var colon = target.IndexOf(':', StringComparison.Ordinal);
            var (port, path) = colon < 0 ? (target, "/metrics") : (target[..colon], target[(colon + 1)..]);
            if (!ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number == 0) return null;
            targets.Add(new JsonObject { ["port"] = port, ["path"] = path.Length > 0 ? path : "/metrics" });
        }
        return targets;
    }
}
