using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Istio.Mesh.V1Alpha1;
using Lateen.Api.Diagnostics;
using Lateen.ControlPlane.Injection;
using Lateen.Injector.BuiltIn;
using Lateen.Injector.Settings;
using Lateen.Injector.Templates;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Injection;

/// <summary>What a case says about the installation that injects.</summary>
internal static class Installation
{
    /// <summary>The injection of a case: the settings that it was recorded with, and what it sets.</summary>
    public static MeshInjection Of(JsonElement row, string path)
    {
        MeshConfig mesh = MeshConfigs.Overlay(MeshConfigs.Defaults(),
            "defaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\ntrustDomain: cluster.local\nenablePrometheusMerge: true\n",
            "", []);
        if (row.TryGetProperty("meshConfigOverlay", out JsonElement overlay))
            mesh = MeshConfigs.Overlay(mesh, overlay.GetRawText(), "", []);
        IReadOnlyDictionary<string, string> environment = row.Map("controlPlaneEnv") ?? new Dictionary<string, string>();
        string[] nodes = row.Texts("nodeKubeletVersions") is { Count: > 0 } versions ? [.. versions] : ["v1.33.0", "v1.34.0"];
        bool isNative = environment.GetValueOrDefault("ENABLE_NATIVE_SIDECARS", "auto") switch
        {
            "false" => false,
            "true" => true,
            _ => MeshInjection.CanBeNative(nodes),
        };
        return new MeshInjection
        {
            Config = Config(row, path),
            Mesh = mesh,
            NativeSidecars = isNative,
            AssignsUsers = environment.GetValueOrDefault("platform") == "openshift",
        };
    }

    private static InjectionConfig Config(JsonElement row, string path)
    {
        var values = new JsonObject { ["global"] = new JsonObject { ["hub"] = "registry.istio.io/testing", ["tag"] = "latest" } };
        if (row.Text("operatorOverlay") is { Length: > 0 } file
            && PlainText.Tree(File.ReadAllText(Path.Combine(path, file)))?["spec"]?["values"] is JsonObject written) Over(values, written);
        foreach (string setting in row.Texts("set"))
        {
            int at = setting.IndexOf('=', StringComparison.Ordinal);
            string name = setting[..at] switch { "components.cni.enabled" => "values.pilot.cni.enabled",
                "values.cni.provider" => "values.pilot.cni.provider", var other => other };
            Set(values, name["values.".Length..].Split('.'), setting[(at + 1)..]);
        }
        return BuiltInInjection.With(values);
    }

    private static void Over(JsonObject below, JsonObject over)
    {
        foreach (var (name, value) in over)
        {
            if (value is JsonObject inner && below[name] is JsonObject known) Over(known, inner);
            else below[name] = value?.DeepClone();
        }
    }

    private static void Set(JsonObject values, string[] name, string value)
    {
        foreach (string part in name[..^1])
        {
            if (values[part] is not JsonObject) values[part] = new JsonObject();
            values = (JsonObject)values[part]!;
        }
        values[name[^1]] = value is "true" or "false" ? value == "true" : int.TryParse(value, CultureInfo.InvariantCulture, out int number)
            ? number : value;
    }
}
