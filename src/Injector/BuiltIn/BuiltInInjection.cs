// BuiltIn: the product's own templates and settings, which an installation has unless its operator brings others. They are written for this
// product in the language of Templates; what several have in common stands once, in parts.tpl. What they render is what agents and proxies
// of a mesh expect to find: names of variables, mounts and ports are an interface.
using System.Text.Json.Nodes;
using Lateen.Injector.Settings;
using Lateen.Injector.Templates;
using Lateen.Injector.Trees;

namespace Lateen.Injector.BuiltIn;

/// <summary>The configuration of injection without an operator's own ConfigMap.</summary>
public static class BuiltInInjection
{
    private static readonly string[] Names = ["sidecar", "gateway", "grpc-simple", "grpc-agent", "kube-gateway", "waypoint",
        "agentgateway"];

    /// <summary>With an operator's settings over the product's.</summary>
    /// <param name="values">Settings of the installation: empty objects replace nothing, null takes away.</param>
    public static InjectionConfig With(JsonObject values) => Of(Overlaid((JsonObject)PlainText.Tree(Text("values.yaml"))!, values));

    /// <summary>With these settings alone.</summary>
    public static InjectionConfig Of(JsonObject values)
    {
        var templates = new JsonObject(
            Names.Select(name => KeyValuePair.Create(name, (JsonNode?)Text(name + ".tpl")))) { ["agentgateway-waypoint"] =
                Text("agentgateway.tpl") };
        var webhook = values["sidecarInjectorWebhook"] as JsonObject ?? [];
        foreach (var (name, text) in webhook.Words("templates")) templates[name] = text;
        var config = new JsonObject
        {
            ["policy"] = (values["global"] as JsonObject)?["proxy"].Word("autoInject") ?? "enabled",
            ["templates"] = templates,
        };
        foreach (var name in (string[])["defaultTemplates", "aliases", "neverInjectSelector", "alwaysInjectSelector",
            "injectedAnnotations"]) config[name] = webhook[name]?.DeepClone();
        return InjectionConfig.Of(config, values, Text("parts.tpl"));
    }

    // As charts are given values: nothing takes a setting away, everything else is laid over.
    private static JsonObject Overlaid(JsonObject below, JsonObject over)
    {
        foreach (var (name, value) in over)
        {
            if (value is JsonObject inner && below[name] is JsonObject known) Overlaid(known, inner);
            else below[name] = value?.DeepClone();
        }
        return below;
    }

    private static string Text(string name)
    {
        using var stream = typeof(BuiltInInjection).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
