using System.Globalization;
using System.Text.Json.Nodes;
using Lateen.Injector.Templates;
using Lateen.Injector.Trees;
using Lateen.Injector.Settings;

namespace Lateen.Injector.Pods;

/// <summary>Probes and hooks of applications go to the agent, which asks the application: the kubelet has no certificate, and a port with
/// mutual TLS would not answer it.</summary>
public static class ProbeRewrite
{
    private const string Variable = "ISTIO_KUBE_APP_PROBERS";
    private static readonly (string Probe, string Path)[] Probes = [("readinessProbe", "readyz"), ("livenessProbe", "livez"),
        ("startupProbe", "startupz")];
    private static readonly (string Hook, string Path)[] Hooks = [("preStop", "prestopz"), ("postStart", "poststartz")];

    /// <summary>Whether it is wanted: as the pod says, else as the installation says.</summary>
    public static bool IsWanted(IReadOnlyDictionary<string, string> annotations, bool otherwise) =>
        (annotations.TryGetValue("sidecar.istio.io/rewriteAppHTTPProbers", out var written) ? InjectionAnnotations.Flag(written) : null)
            ?? otherwise;

    /// <summary>What the agent is to ask, by the path at which it is asked itself; empty for nothing.</summary>
    public static string Collect(JsonObject pod, int statusPort)
    {
        var asked = new SortedDictionary<string, JsonNode?>(StringComparer.Ordinal);
        foreach (var container in Applications(pod))
        {
            var ports = container.Each("ports").Where(port => port.Word("name") is { Length: > 0 }).GroupBy(port => port.Word("name")!)
                .ToDictionary(ports => ports.Key, ports => ports.Last()["containerPort"], StringComparer.Ordinal);
            foreach (var (at, handler, timeout) in Handlers(container))
            {
                if (Asked(handler, ports, statusPort) is not { } what) continue;
                if (timeout is not null && timeout.ToString() != "0") what["timeoutSeconds"] = timeout.DeepClone();
                asked[at] = what;
            }
        }
        return asked.Count == 0 ? ""
            : "{" + string.Join(',', asked.Select(entry => $"\"{entry.Key}\":{FieldOrder.Json(entry.Value)}")) + "}";
    }

    /// <summary>Points probes and hooks to the agent.</summary>
    public static void Rewrite(JsonObject pod, int statusPort)
    {
        if (pod.Annotations().TryGetValue(InjectionAnnotations.StatusPort, out var annotated)
            && int.TryParse(annotated, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var port)) statusPort = port;
        foreach (var container in Applications(pod))
        {
            foreach (var (at, handler, _) in Handlers(container)) Point(handler, at, statusPort);
        }
    }

    /// <summary>Tells the agent; what it was told at an earlier injection stays.</summary>
    /// <param name="wasInjected">The pod has been injected before.</param>
    /// <param name="container">The agent's container.</param>
    /// <param name="asked">What it is to ask.</param>
    public static void Tell(bool wasInjected, JsonObject container, string asked)
    {
        var known = wasInjected ? container.Each("env").FirstOrDefault(variable => variable.Word("name") == Variable) : null;
        if (known is null)
        {
            container.AddVariable(Variable, asked);
            return;
        }
        var (before, now) = (JsonNode.Parse(known.Word("value") ?? "{}") as JsonObject ?? [], JsonNode.Parse(asked) as JsonObject ?? []);
        foreach (var (path, what) in before) now[path] = what?.DeepClone();
        known["value"] = new JsonObject(now.OrderBy(entry => entry.Key, StringComparer.Ordinal)
            .Select(entry => KeyValuePair.Create(entry.Key, entry.Value?.DeepClone()))).ToJsonString(PlainJson.Relaxed);
    }

    /// <summary>All of it for one pod.</summary>
    internal static void Apply(JsonObject pod, bool isWanted, int statusPort)
    {
        if (pod.Container(PodTree.Proxy) is not { } proxy || !IsWanted(pod.Annotations(), isWanted)) return;
        var asked = Collect(pod, statusPort);
        if (asked.Length > 0) Tell(pod.Annotations().ContainsKey(InjectionStatus.Annotation), proxy, asked);
        Rewrite(pod, statusPort);
    }

    private static IEnumerable<JsonObject> Applications(JsonObject pod) =>
        pod.Containers().Where(container => container.Word("name") != PodTree.Proxy);

    private static IEnumerable<(string At, JsonObject Handler, JsonNode? Timeout)> Handlers(JsonObject container)
    {
        var name = container.Word("name");
        foreach (var (probe, path) in Probes)
        {
            if (container[probe] is JsonObject handler) yield return ($"/app-health/{name}/{path}", handler, handler["timeoutSeconds"]);
        }
        foreach (var (hook, path) in Hooks)
        {
            if (container["lifecycle"]?[hook] is JsonObject handler) yield return ($"/app-lifecycle/{name}/{path}", handler, null);
        }
    }

    // Null for commands, for ports that have no number, and for what goes to the agent already.
    private static JsonObject? Asked(JsonObject handler, Dictionary<string, JsonNode?> ports, int statusPort)
    {
        if (handler["grpc"] is JsonObject grpc) return new JsonObject { ["grpc"] = grpc.DeepClone() };
        var kind = handler["httpGet"] is JsonObject ? "httpGet" : "tcpSocket";
        if (handler[kind]?.DeepClone() is not JsonObject what) return null;
        if (what.Word("port") is { } named && !int.TryParse(named, NumberStyles.None, CultureInfo.InvariantCulture, out _))
        {
            if (!ports.TryGetValue(named, out var number)) return null;
            what["port"] = number?.DeepClone();
        }
        else if (what.Word("port") == statusPort.ToString(CultureInfo.InvariantCulture)) return null;
        return new JsonObject { [kind] = what };
    }

    // TLS is spoken by the agent, not by the kubelet.
    private static void Point(JsonObject handler, string at, int statusPort)
    {
        if (handler["httpGet"] is JsonObject known)
        {
            (known["path"], known["port"]) = (at, statusPort);
            if (known.Word("scheme") == "HTTPS") known["scheme"] = "HTTP";
        }
        else if (handler.Remove("tcpSocket") | handler.Remove("grpc"))
            handler["httpGet"] = new JsonObject { ["path"] = at, ["port"] = statusPort };
    }
}
