using System.Text.Json.Nodes;
using Lateen.Injector.Templates;
using Lateen.Injector.Templates.Functions;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Settings;

/// <summary>How pods are injected: the content of the injector's ConfigMap, read once.</summary>
public sealed class InjectionConfig
{
    private readonly Dictionary<string, string> _texts;
    private readonly Dictionary<string, Template> _parsed = new(StringComparer.Ordinal);
    private readonly string _shared;

    private InjectionConfig(JsonObject written, JsonObject values, string shared)
    {
        _shared = shared;
        _texts = written.Words("templates").ToDictionary(StringComparer.Ordinal);
        Values = values;
        Policy = written.Word("policy") ?? "";
        Never = [.. written.Each("neverInjectSelector")];
        Always = [.. written.Each("alwaysInjectSelector")];
        DefaultTemplates = written["defaultTemplates"] is JsonArray { Count: > 0 } named
            ? [.. named.Select(name => name?.ToString() ?? "")] : ["sidecar"];
        Aliases = (written["aliases"] as JsonObject
            ?? []).ToDictionary(alias => alias.Key,
                alias => (IReadOnlyList<string>)[.. (alias.Value as JsonArray ?? []).Select(name => name?.ToString() ?? "")],
                StringComparer.Ordinal);
        InjectedAnnotations = written.Words("injectedAnnotations");
    }

    /// <summary>Whether pods are injected that nothing is said about.</summary>
    public string Policy { get; }

    /// <summary>Pods that get nothing.</summary>
    public IReadOnlyList<JsonObject> Never { get; }

    /// <summary>Pods that get a sidecar.</summary>
    public IReadOnlyList<JsonObject> Always { get; }

    /// <summary>Templates of pods that name none.</summary>
    public IReadOnlyList<string> DefaultTemplates { get; }

    /// <summary>Names that stand for several templates.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Aliases { get; }

    /// <summary>Annotations that every injected pod gets.</summary>
    public IReadOnlyDictionary<string, string> InjectedAnnotations { get; }

    /// <summary>Settings of the installation.</summary>
    public JsonObject Values { get; }

    /// <summary>Templates as they are written, by name.</summary>
    public IReadOnlyDictionary<string, string> Texts => _texts;

    /// <summary>Names of templates.</summary>
    public IEnumerable<string> TemplateNames => _texts.Keys;

    /// <summary>Reads the two keys of the ConfigMap.</summary>
    /// <param name="config">The key config.</param>
    /// <param name="values">The key values.</param>
    /// <param name="shared">Definitions that all templates may use.</param>
    /// <exception cref="TemplateException">They are malformed.</exception>
    public static InjectionConfig Read(string config, string values, string shared = "") =>
        Of(PlainText.Tree(config) as JsonObject ?? throw new TemplateException("the injector's configuration is no object"),
            PlainText.Tree(values) as JsonObject ?? [], shared);

    /// <summary>The same from trees.</summary>
    internal static InjectionConfig Of(JsonObject config, JsonObject values, string shared) => new(config, values, shared);

    /// <summary>A template; null where there is none of the name.</summary>
    /// <exception cref="TemplateException">It is malformed.</exception>
    public Template? TemplateOf(string name)
    {
        lock (_parsed)
        {
            if (_parsed.TryGetValue(name, out var known)) return known;
            return _texts.TryGetValue(name, out var text) ? _parsed[name] = Template.Parse(name, text, FunctionTable.All, _shared) : null;
        }
    }
}
