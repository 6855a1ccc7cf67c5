using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Meaning.GatewayApi;
using Lateen.Registry;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.GatewayApi.Standard;

/// <summary>What the tests wait for before they send requests: conditions of gateways, listeners and routes.</summary>
internal sealed class StatusChecks
{
    private const string Controller = "istio.io/gateway-controller";
    private readonly Dictionary<string, JsonNode> _statuses;

    public StatusChecks(IReadOnlyList<Resource> objects)
    {
        RegistryView registry = new RegistryCompiler(new RegistryOptions { DomainSuffix = "cluster.local" }).Compile(
            [ClusterResources.Of("Kubernetes", objects)]);
        GatewayApiInputs inputs = SnapshotResources.Of("case", registry, Tables.Rows.Settings(), objects).GatewayApi;
        GatewayApiResources made = new GatewayApiConverter().Convert(inputs, registry, "cluster.local");
        var formatter = new JsonFormatter(JsonFormatter.Settings.Default.WithFormatDefaultValues(false));
        _statuses = made.Statuses(registry)
            .ToDictionary(status => $"{status.Kind.Name} {status.Namespace}/{status.Name}",
                status => JsonNode.Parse(formatter.Format(status.Content))!);
    }

    /// <summary>Whether all listeners that a check is about are accepted.</summary>
    public bool Serves(JsonElement check)
    {
        string about = Key(check.GetProperty("args")[0]);
        return ListenersOf("Gateway", about).Any() && ListenersOf("Gateway", about).All(listener => Says(listener, "Accepted", "True", ""));
    }

    /// <summary>What does not hold; null where all is well, or where the record does not tell whom it is about.</summary>
    public string? Mistake(JsonElement check)
    {
        string name = check.Text("check");
        JsonElement[] args = [.. check.GetProperty("args").EnumerateArray()];
        string kind = name.Split("Must")[0];
        if (name == "NamespacesMustBeReady") return null;
        if (name.Contains("RoutesMustBeAccepted", StringComparison.Ordinal)) return GatewayAndRoutes(kind, args);
        if (name == "RoutesAndParentMustBeAccepted")
            return Each(args[1]).Select(
                route => ParentsOf(RouteKind(route), route) is { } parents && parents.Any(p => Says(p, "Accepted", "True", ""))
                    ? null : $"{route}: no parent accepts it").FirstOrDefault(m => m is not null);
        if (args[0].ValueKind == JsonValueKind.Object && !args[0].TryGetProperty("name", out _)) return null;
        string about = Key(args[0]);
        kind = kind.StartsWith("GatewayListener", StringComparison.Ordinal)
            ? "Gateway" : kind.StartsWith("ListenerSet", StringComparison.Ordinal)
            ? "ListenerSet" : kind.StartsWith("GatewayStatus", StringComparison.Ordinal) ? "Gateway" : kind;
        return name switch
        {
            "HTTPRouteMustHaveResolvedRefsConditionsTrue" => Parent(kind, about, args[1], "ResolvedRefs", "True", ""),
            "BackendTLSPolicyMustHaveAcceptedConditionTrue" => Parent(kind, about, args[1], "Accepted", "True", ""),
            "GatewayMustHaveCondition" or "ListenerSetMustHaveCondition" => Holds(kind, about, Status(kind, about), args[1]),
            _ when name.EndsWith("MustHaveCondition", StringComparison.Ordinal) =>
                Parent(kind, about, args[1], args[2].Text("type"), args[2].Text("status"), args[2].Text("reason")),
            _ when name.EndsWith("StatusMustHaveListeners", StringComparison.Ordinal) => args.Length > 1
                ? Listeners(kind, about, args[1]) : null,
            "GatewayListenerMustHaveConditions" => Listener(kind, about, args[1].GetString()!, args[2]),
            "ListenerSetListenersMustHaveConditions" or "GatewayListenersMustHaveConditions" =>
                args.Skip(2).Select(listener => Listener(kind, about, listener.GetString()!, args[1])).FirstOrDefault(m => m is not null),
            "GatewayMustHaveZeroRoutes" => ListenersOf(kind, about).Any(l => l["attachedRoutes"]?.GetValue<int>() > 0)
                ? $"{about} has routes" : null,
            "GatewayMustHaveAttachedListeners" =>
                Equal(about, args[1].GetInt32(), Status(kind, about)?["attachedListenerSets"]?.GetValue<int>() ?? 0),
            _ when name.EndsWith("MustHaveNoAcceptedParents", StringComparison.Ordinal) =>
                (ParentsOf(kind, about) ?? []).Any(p => Says(p, "Accepted", "True", "")) ? $"{about} is accepted" : null,
            _ when name.EndsWith("MustHaveParents", StringComparison.Ordinal) => Parents(kind, about, args[1]),
            _ when name.EndsWith("MustHaveLatestConditions", StringComparison.Ordinal) => Status(kind, about) is null
                ? $"{kind} {about} has no status" : null,
            _ => $"nobody knows the check {name}",
        };
    }

    private string? GatewayAndRoutes(string kind, JsonElement[] args)
    {
        JsonElement gateway = args[0].TryGetProperty("gateway", out JsonElement named) ? named : args[0];
        if (!gateway.TryGetProperty("name", out _)) return null;
        string about = Key(gateway);
        if (Status("Gateway", about) is not { } status) return $"Gateway {about} has no status";
        if ((status["addresses"] as JsonArray)?.Count is null or 0) return $"Gateway {about} has no address";
        string route = kind.Replace("GatewayAnd", "", StringComparison.Ordinal).TrimEnd('s');
        return args.Skip(1).Where(arg => arg.ValueKind is JsonValueKind.Object or JsonValueKind.Array).SelectMany(Each)
            .Select(key => Parent(route == "Route" ? RouteKind(key) : route, key, gateway, "Accepted", "True", ""))
            .FirstOrDefault(m => m is not null);
    }

    private string? Listeners(string kind, string about, JsonElement wanted)
    {
        JsonNode[] have = [.. ListenersOf(kind, about)];
        if (have.Length != wanted.GetArrayLength()) return $"{about}: expected {wanted.GetArrayLength()} listeners, found {have.Length}";
        foreach (JsonElement listener in wanted.EnumerateArray())
        {
            if (have.FirstOrDefault(l => l["name"]?.GetValue<string>() == listener.Text("name")) is not { } found)
                return $"{about} has no listener {listener.Text("name")}";
            if (Equal($"{about} {listener.Text("name")} attachedRoutes", listener.Number("attachedRoutes"),
                found["attachedRoutes"]?.GetValue<int>() ?? 0) is { } mistake) return mistake;
            // An implementation may support more kinds than a test names, but none where it names none.
            if (listener.TryGetProperty("supportedKinds", out JsonElement kinds) && kinds.ValueKind == JsonValueKind.Array)
            {
                string[] expected = [.. kinds.EnumerateArray().Select(k => k.Text("kind"))],
                    supported = [.. (found["supportedKinds"] as JsonArray ?? []).Select(k => k!["kind"]!.GetValue<string>())];
                if (expected.Except(supported).Any() || (expected.Length == 0 && supported.Length > 0))
                    return $"{about} {listener.Text("name")}: expected the kinds {string.Join(", ", expected)}, "
                        + $"found {string.Join(", ", supported)}";
            }
            if (listener.TryGetProperty("conditions", out JsonElement conditions)
                && All($"{about} {listener.Text("name")}", found, conditions) is { } unmet) return unmet;
        }
        return null;
    }

    private string? Listener(string kind, string about, string name, JsonElement conditions) =>
        ListenersOf(kind, about).FirstOrDefault(l => l["name"]?.GetValue<string>() == name) is { } found
            ? All($"{about} {name}", found, conditions) : $"{about} has no listener {name}";

    private string? Parents(string kind, string about, JsonElement wanted)
    {
        JsonNode[] have = [.. (ParentsOf(kind, about) ?? []).Where(p => p["controllerName"]?.GetValue<string>() == Controller)];
        if (have.Length != wanted.GetArrayLength()) return $"{about}: expected {wanted.GetArrayLength()} parents, found {have.Length}";
        foreach (JsonElement parent in wanted.EnumerateArray())
        {
            JsonElement reference = parent.GetProperty("parentRef");
            JsonNode? found = have.FirstOrDefault(p => Refers(p["parentRef"], reference, about)
                && (reference.Text("sectionName").Length == 0 || Section(p) == reference.Text("sectionName")));
            if (found is null) return $"{about} has no parent {reference}";
            if (All(about, found, parent.GetProperty("conditions")) is { } unmet) return unmet;
        }
        return null;
    }

    private string? Parent(string kind, string about, JsonElement gateway, string type, string status, string reason)
    {
        JsonNode[] of = [.. (ParentsOf(kind, about) ?? []).Where(p => Refers(p["parentRef"] ?? p["ancestorRef"], gateway, about))];
        if (of.Length == 0) return $"{kind} {about} says nothing of {gateway.Text("name")}";
        return of.Any(p => Says(p, type, status, reason)) ? null
            : $"{kind} {about} at {gateway.Text("name")}: expected {type} {status} {reason}, found {of[0]["conditions"]?.ToJsonString()}";
    }

    private static string? All(string about, JsonNode found, JsonElement conditions) =>
        conditions.EnumerateArray().Where(c => !Says(found, c.Text("type"), c.Text("status"), c.Text("reason")))
            .Select(
                c =>
                    $"{about}: expected {c.Text("type")} {c.Text("status")} {c.Text("reason")}, found {found["conditions"]?.ToJsonString()}").FirstOrDefault();

    private static string? Holds(string kind, string about, JsonNode? status, JsonElement condition) =>
        status is null ? $"{kind} {about} has no status"
            : Says(status, condition.Text("type"), condition.Text("status"), condition.Text("reason"))
            ? null : $"{kind} {about}: expected {condition}, found {status["conditions"]?.ToJsonString()}";

    private static bool Says(JsonNode of, string type, string status, string reason) => (of["conditions"] as JsonArray ?? []).Any(c =>
        c!["type"]?.GetValue<string>() == type && c["status"]?.GetValue<string>() == status
            && (reason.Length == 0 || c["reason"]?.GetValue<string>() == reason));

    private static bool Refers(JsonNode? reference, JsonElement named, string about)
    {
        string ns = reference?["namespace"]?.GetValue<string>() ?? about.Split('/')[0];
        return reference?["name"]?.GetValue<string>() == named.Text("name")
            && (named.Text("namespace").Length == 0 || ns == named.Text("namespace"));
    }

    private static string Section(JsonNode parent) => parent["parentRef"]?["sectionName"]?.GetValue<string>() ?? "";

    private JsonNode? Status(string kind, string about) => _statuses.GetValueOrDefault($"{kind} {about}");

    private IEnumerable<JsonNode> ListenersOf(string kind, string about) =>
        (Status(kind, about)?["listeners"] as JsonArray ?? []).Select(l => l!);

    private IEnumerable<JsonNode>? ParentsOf(string kind, string about) =>
        ((Status(kind, about)?["parents"] ?? Status(kind, about)?["ancestors"]) as JsonArray)?.Select(p => p!);

    private string RouteKind(string key) =>
        ((string[])["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"]).FirstOrDefault(kind => Status(kind, key) is not null)
            ?? "HTTPRoute";

    private static IEnumerable<string> Each(JsonElement names) =>
        (names.ValueKind == JsonValueKind.Array ? names.EnumerateArray().ToArray()
            : [names]).Where(n => n.ValueKind == JsonValueKind.Object && n.TryGetProperty("name", out _)).Select(Key);

    private static string Key(JsonElement named) => $"{named.Text("namespace")}/{named.Text("name")}";

    private static string? Equal(string about, int wanted, int found) =>
        wanted == found ? null : $"{about}: expected {wanted}, found {found}";
}
