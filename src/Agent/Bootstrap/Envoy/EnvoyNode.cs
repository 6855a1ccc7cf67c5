using System.Text.Json;
using System.Text.Json.Nodes;

namespace Lateen.Agent.Bootstrap.Envoy;

/// <summary>Who the node is: id, cluster, locality, and metadata out of the environment, the labels and the annotations.</summary>
internal sealed class EnvoyNode
{
    private const string Variable = "ISTIO_META_", JsonVariable = "ISTIO_METAJSON_", LocalityLabel = "istio-locality",
        CanonicalName = "service.istio.io/canonical-name";
    private readonly JsonObject _metadata = [];

    public EnvoyNode(EnvoyBootstrapOptions options)
    {
        var labels = Labels(options);
        Own(options);
        FromEnvironment(options.Environment);
        // Labels and annotations stand by themselves, too, where nothing else has the name.
        Place("LABELS", labels, value: Sanitized);
        if (labels.Count > 0) _metadata["STATIC_LABELS"] = _metadata["LABELS"]!.DeepClone();
        Place("ANNOTATIONS", options.Annotations, value: static (_, text) => text);
        DiscoversMetadata = Text("ENABLE_HBONE") == "true" || Text("METADATA_DISCOVERY") == "true";
        _metadata["METADATA_DISCOVERY"] = DiscoversMetadata ? "true" : "false";
        Cluster = ClusterOf(options, labels);
        Message = new JsonObject
        {
            ["id"] = options.NodeId,
            ["cluster"] = Cluster,
            ["locality"] = Locality(labels.GetValueOrDefault(LocalityLabel, "")),
            ["metadata"] = _metadata,
        };
    }

    public JsonObject Message { get; }

    public string Cluster { get; }

    /// <summary>Whether the proxy asks for what it does not know of its peers.</summary>
    public bool DiscoversMetadata { get; }

    /// <summary>A text of the metadata.</summary>
    public string? Text(string name) => _metadata[name]?.ToString();

    private string ClusterOf(EnvoyBootstrapOptions options, IReadOnlyDictionary<string, string> labels)
    {
        string workload = Text("WORKLOAD_NAME") ?? "", ns = Text("NAMESPACE") ?? "";
        string canonical = labels.GetValueOrDefault(CanonicalName) ?? ServiceCluster.AppOf(labels)
            ?? (workload.Length > 0 ? workload : "istio-proxy");
        return options.Text("tracingServiceName") switch
        {
            "CANONICAL_NAME_ONLY" => canonical,
            "CANONICAL_NAME_AND_NAMESPACE" => $"{canonical}.{ns}",
            _ => ServiceCluster.Of(options.Text("serviceCluster"), labels, workload, ns),
        };
    }

    private void Own(EnvoyBootstrapOptions options)
    {
        _metadata["ENVOY_PROMETHEUS_PORT"] = options.PrometheusPort;
        _metadata["ENVOY_STATUS_PORT"] = options.HealthPort;
        if (options.SecureMetricsPort > 0) _metadata["ENVOY_SECURE_METRICS_PORT"] = options.SecureMetricsPort;
        if (options.SecureMergedMetricsPort > 0) _metadata["ENVOY_SECURE_MERGED_METRICS_PORT"] = options.SecureMergedMetricsPort;
        _metadata["INSTANCE_IPS"] = string.Join(',', options.InstanceIps.Distinct());
        if (options.Version.Length > 0) _metadata["ISTIO_VERSION"] = options.Version;
        if (options.OutlierLogPath.Length > 0) _metadata["OUTLIER_LOG_PATH"] = options.OutlierLogPath;
        if (options.ControlPlaneSans.Count > 0)
            _metadata["PILOT_SAN"] = new JsonArray([.. options.ControlPlaneSans.Select(san => JsonValue.Create(san))]);
        _metadata["PROXY_CONFIG"] = options.ProxyConfig.DeepClone();
        _metadata["WORKLOAD_IDENTITY_SOCKET_FILE"] = options.IdentitySocketFile;
    }

    private void FromEnvironment(IReadOnlyDictionary<string, string> environment)
    {
        foreach ((string name, string value) in environment.OrderBy(variable => variable.Key, StringComparer.Ordinal))
        {
            if (name.StartsWith(Variable, StringComparison.Ordinal)) _metadata[name[Variable.Length..]] = value;
            else if (name.StartsWith(JsonVariable, StringComparison.Ordinal) && Read(value) is { } members)
                Merge(name[JsonVariable.Length..], members);
        }
        if (environment.TryGetValue("POD_NAME", out string? pod)) _metadata["NAME"] = pod;
        if (environment.TryGetValue("POD_NAMESPACE", out string? ns)) _metadata["NAMESPACE"] = ns;
    }

    private void Merge(string name, JsonObject members)
    {
        _metadata[name] = members.DeepClone();
        foreach ((string member, JsonNode? value) in members) _metadata[member] = value?.DeepClone();
    }

    private void Place(string name, IReadOnlyDictionary<string, string> entries, Func<string, string, string> value)
    {
        if (entries.Count == 0) return;
        _metadata[name] = new JsonObject(entries.Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)value(entry.Key, entry.Value))));
        foreach ((string key, string text) in entries) _metadata.TryAdd(key, text);
    }

    private static Dictionary<string, string> Labels(EnvoyBootstrapOptions options) =>
        options.Environment.TryGetValue(JsonVariable + "LABELS", out string? json) && Read(json) is { } labels
            ? labels.ToDictionary(label => label.Key, label => label.Value?.ToString() ?? "") : [];

    // Labels can't have slashes, so that dots stand for them.
    private static string Sanitized(string label, string value) =>
        label == LocalityLabel && !value.Contains('/', StringComparison.Ordinal) ? value.Replace('.', '/') : value;

    private static JsonObject Locality(string label)
    {
        string[] parts = label.Length == 0 ? [] : Sanitized(LocalityLabel, label).Split('/');
        var locality = new JsonObject();
        foreach ((string name, string part) in ((string[])["region", "zone", "sub_zone"]).Zip(parts)) locality[name] = part;
        return locality;
    }

    private static JsonObject? Read(string json)
    {
        try
        {
            return JsonNode.Parse(json) as JsonObject;
        }
        catch (JsonException)
        {
            // What is no JSON says nothing.
            return null;
        }
    }
}
