using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf.WellKnownTypes;
using static Lateen.Injector.Templates.TemplateValues;

namespace Lateen.Injector.Templates.Functions;

/// <summary>What templates of pods ask about pods, annotations and settings; the names are those that existing templates use.</summary>
internal static class MeshFunctions
{
    public static readonly Dictionary<string, TemplateFunction> Table = new(StringComparer.Ordinal)
    {
        ["isset"] = a => CollectionFunctions.Map(a[0]).ContainsKey(Text(a[1])),
        ["annotation"] = a => Annotation(a[0], Text(a[1]), a[2]),
        ["valueOrDefault"] = a => a[0] is null or "" ? a[1] : a[0],
        ["excludeInboundPort"] = a => ExcludePort(Print(a[0]).Trim(), Print(a[1]) is var text && a[1] is null ? "" : text),
        ["includeInboundPorts"] = a => string.Join(',', CollectionFunctions.List(a[0]).SelectMany(PortsOf)),
        ["applicationPorts"] = a =>
            string.Join(',', CollectionFunctions.List(a[0]).Where(container => Text(((GoObject)container!).Field("Name")) != "istio-proxy")
                .SelectMany(PortsOf)),
        ["kubevirtInterfaces"] = a => Text(a[0]),
        ["excludeInterfaces"] = a => Text(a[0]),
        ["formatDuration"] = a => a[0] is ProtoObject { Message: Duration duration } ? Spelled(duration) : "0s",
        ["toJSON"] = a => a[0] is null or "" ? "{}" : PlainText.Json(a[0]),
        ["toJson"] = a => a[0] is null or "" ? "{}" : PlainText.Json(a[0]),
        ["structToJSON"] = a => a[0] is null ? "{}" : PlainText.Json(a[0]),
        ["protoToJSON"] = a => a[0] is ProtoObject message ? message.Json() : "{}",
        ["fromJSON"] = a => Parsed(Text(a[0])),
        ["fromJson"] = a => Parsed(Text(a[0])),
        ["toYaml"] = a => PlainText.Yaml(a[0]),
        ["indent"] = a => string.Join('\n',
            Text(a[1]).Split('\n').Select((line, index) => index == 0 ? line : new string(' ', (int)Whole(a[0])) + line)),
        ["directory"] = a => Text(a[0]) is var path ? path[..(path.LastIndexOf('/') + 1)] : "",
        ["toLower"] = a => Text(a[0]).ToLowerInvariant(),
        ["appendMultusNetwork"] = a => AppendNetwork(Text(a[0]), Text(a[1])),
        ["otelResourceAttributes"] =
            a => ResourceAttributes.Of(a[0] as ProtoObject, CollectionFunctions.Map(a[1]), CollectionFunctions.Map(a[2]), Text(a[3]),
                CollectionFunctions.List(a[4])),
        ["strdict"] = a => CollectionFunctions.Pairs(a, Text),
        ["toJsonMap"] = a => PlainText.Json(Joined(a)),
        ["mergeMaps"] = a => Joined(a),
        ["omit"] = a => Sorted(CollectionFunctions.Map(a[0])).Where(entry => !a.Skip(1).Any(key => Text(key) == entry.Key))
            .ToDictionary(StringComparer.Ordinal),
        ["omitNil"] = a => WithoutNothing(a[0]),
    };

    /// <summary>A network more in a pod's list of networks, which is JSON or words with commas. It is named with its namespace before a
    /// slash, or without.</summary>
    public static string AppendNetwork(string networks, string network)
    {
        if (networks.Length == 0) return network;
        var end = networks.LastIndexOf(']');
        if (end < 0) return networks.Split(',').Any(known => known.Trim() == network) ? networks : $"{networks}, {network}";
        string[] parts = network.Split('/', 2);
        var (name, ns) = (parts[^1], parts.Length > 1 ? parts[0] : "");
        try
        {
            if (JsonNode.Parse(networks) is not JsonArray list || list.Any(known => known is not JsonObject)) return networks;
            if (list.OfType<JsonObject>().Any(known => known["name"]?.ToString() == name && (known["namespace"]?.ToString() ?? "") == ns))
                return networks;
            return $"{networks[..end]}, {{\"name\": \"{name}\"{(ns.Length > 0 ? $", \"namespace\": \"{ns}\"" : "")}}}{networks[end..]}";
        }
        catch (JsonException)
        {
            return networks;
        }
    }

    /// <summary>Ports of a container that TCP connections come to.</summary>
    public static IEnumerable<string> PortsOf(object? container) =>
        CollectionFunctions.List((container as GoObject)?.Field("Ports")).OfType<GoObject>()
            .Where(port => Text(port.Field("Protocol")) is not ("UDP" or "SCTP")).Select(port => Text(port.Field("ContainerPort")));

    private static string Annotation(object? metadata, string name, object? otherwise) =>
        metadata is GoObject with && with.Field("Annotations") is IReadOnlyDictionary<string, object?> annotations
            && annotations.TryGetValue(name, out var written) ? Text(written) : Print(otherwise);

    private static string ExcludePort(string port, string excluded)
    {
        if (port.Length == 0 || port == "0") return excluded;
        string[] ports = excluded.Split(',');
        return ports.Contains(port)
            ? excluded : string.Join(',', ports.Select(known => known.Trim()).Where(known => known.Length > 0).Append(port));
    }

    private static object? Parsed(string json)
    {
        try
        {
            return PlainText.Of(JsonNode.Parse(json), hasWholeNumbers: false);
        }
        catch (JsonException)
        {
            return "{}";
        }
    }

    private static Dictionary<string, object?> Joined(IEnumerable<object?> maps)
    {
        var joined = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var (key, value) in maps.SelectMany(CollectionFunctions.Map)) joined[key] = value;
        return joined;
    }

    private static object? WithoutNothing(object? value) => value is IReadOnlyDictionary<string, object?> map
        ? map.Where(entry => entry.Value is not null)
            .ToDictionary(entry => entry.Key, entry => WithoutNothing(entry.Value), StringComparer.Ordinal) : value;

    // Hours, minutes and seconds, of which leading ones that are zero are left out.
    private static string Spelled(Duration duration)
    {
        var time = duration.ToTimeSpan();
        var seconds = (time.TotalSeconds % 60).ToString("0.#########", CultureInfo.InvariantCulture) + "s";
        if (time.TotalMinutes < 1) return time.TotalSeconds is > 0 and < 1
            ? time.TotalMilliseconds.ToString("0.######", CultureInfo.InvariantCulture) + "ms" : seconds;
        return time.TotalHours < 1 ? string.Create(CultureInfo.InvariantCulture, $"{time.Minutes}m{seconds}")
            : string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalHours}h{time.Minutes}m{seconds}");
    }
}
