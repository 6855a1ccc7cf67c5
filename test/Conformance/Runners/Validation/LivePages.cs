using System.Text.Json;
using System.Text.Json.Nodes;
using Envoy.Service.Discovery.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;
using Lateen.Citadel.Authorities;
using Lateen.Citadel.Service;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Debug;
using Lateen.ControlPlane.Metrics;
using Lateen.Pilot.Generation;
using Lateen.Test.Conformance.Runners.Names;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Lateen.Test.Conformance.Runners.Validation;

/// <summary>Plays what <c>istiod-live</c> has of debug pages and metrics: the recorded world in a control loop, with the recorded proxies connected.</summary>
internal sealed class LivePages
{
    private static readonly string[] Watched = [TypeUrls.Cluster, TypeUrls.Listener];
    private readonly ControlLoop _loop;
    private readonly Lazy<string> _metrics;
    private DateTimeOffset _now = TimeProvider.System.GetUtcNow();

    public LivePages(string folder)
    {
        var store = new ResourceStore(Validator.Check, TimeProvider.System);
        _loop = new ControlLoop(new ControlPlaneOptions { StateFolder = "", DebounceAfter = TimeSpan.FromMilliseconds(1) }, store, Wiring.Generators(), _now, TimeProvider.System);
        var decoder = new ResourceDecoder(new DecoderOptions { Unknown = Api.Documents.UnknownFields.Warning, TellUnused = false, Source = ResourceOrigin.FromCluster });
        string pods = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "pods.json"))) is JsonObject list ? new JsonObject { ["apiVersion"] = "v1", ["kind"] = "List", ["items"] = list["items"]!.DeepClone() }.ToJsonString() : "";
        var mistakes = new DiagnosticBag();
        store.Apply(new ChangeSet { Put = [.. decoder.Decode(File.ReadAllText(Path.Combine(folder, "world.yaml")), "", mistakes), .. decoder.Decode(pods, "", mistakes)], IsObserved = true });
        for (int i = 0; i < 2; i++) _loop.Tick(_now += TimeSpan.FromSeconds(10));
        using JsonDocument debug = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "debug.json")));
        JsonElement clients = debug.RootElement.GetProperty("cases").EnumerateArray().First(row => row.Text("path") == "/debug/adsz").GetProperty("body").GetProperty("clients");
        foreach (JsonElement client in clients.EnumerateArray().OrderBy(client => client.Text("connectionId").Split('-')[^1], StringComparer.Ordinal)) Connect(client);
        var bounds = new AuthorityOptions();
        var authority = new CitadelMetrics(new Authority(RootRotation.First("cluster.local", bounds, _now), bounds), new CertificateCounts(), TimeProvider.System);
        _metrics = new(() => _loop.Metrics.Text(_loop.Streams, _now) + authority.Text());
    }

    /// <summary>A page: the same status and kind of text, and every name of the recorded one's shape.</summary>
    public string? Page(JsonElement row)
    {
        string[] parts = row.Text("path")["/debug/".Length..].Split('?', 2);
        if (DebugDoor.Page(_loop, parts[0], new QueryCollection(QueryHelpers.ParseQuery(parts.Length > 1 ? parts[1] : "")), _now) is not { } page) return "there is no such page";
        if (page.Status != row.Number("status") || page.ContentType != row.Text("contentType")) return $"status {page.Status}, {page.ContentType}";
        if (row.TextOrNull("text") is { } text) return text == page.Text ? null : $"expected {text}, found {page.Text}";
        return Missing(row.GetProperty("body"), JsonDocument.Parse(page.Text).RootElement, "");
    }

    /// <summary>A family of metrics: its type and the names of its labels, where it has series.</summary>
    public string? Family(JsonElement row)
    {
        string name = row.Text("name"), all = _metrics.Value;
        if (!all.Contains($"# TYPE {name} {row.Text("type")}\n", StringComparison.Ordinal)) return "the family is not there";
        string? series = all.Split('\n').FirstOrDefault(line => line.StartsWith(name + "{", StringComparison.Ordinal) || line.StartsWith(name + "_bucket{", StringComparison.Ordinal));
        string[] missing = [.. row.Texts("labels").Where(label => series is not null && !series.Contains(label + "=\"", StringComparison.Ordinal))];
        return missing.Length == 0 ? null : $"labels {string.Join(", ", missing)} are missing";
    }

    // Names and shape; values that the machine makes are masked anyway. Of lists the first of each counts.
    private static string? Missing(JsonElement wanted, JsonElement given, string path)
    {
        if (wanted.ValueKind == JsonValueKind.Null) return null;
        if (given.ValueKind != wanted.ValueKind && !(wanted.ValueKind is JsonValueKind.True or JsonValueKind.False && given.ValueKind is JsonValueKind.True or JsonValueKind.False)) return $"{path}: expected {wanted.ValueKind}, found {given.ValueKind}";
        switch (wanted.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (JsonProperty member in wanted.EnumerateObject())
                {
                    if (!given.TryGetProperty(member.Name, out JsonElement other))
                    {
                        if (member.Value.ValueKind == JsonValueKind.Null) continue;
                        return $"{path}.{member.Name} is missing";
                    }
                    if (Missing(member.Value, other, $"{path}.{member.Name}") is { } missing) return missing;
                }
                return null;
            case JsonValueKind.Array when wanted.GetArrayLength() > 0:
                if (given.GetArrayLength() == 0) return $"{path} is empty";
                return wanted[0].ValueKind == JsonValueKind.Object ? Missing(wanted[0], given[0], path + "[0]") : null;
            default:
                return null;
        }
    }

    private void Connect(JsonElement client)
    {
        AdsStream stream = _loop.Streams.Connect("127.0.0.1:1", () => { }, _now);
        string id = client.Text("connectionId"), workload = id[..id.LastIndexOf('-')];
        JsonElement metadata = client.GetProperty("metadata");
        var node = new Envoy.Config.Core.V3.Node
        {
            Id = $"{(workload.Contains("gateway", StringComparison.Ordinal) ? "router" : "sidecar")}~{metadata.Text("INSTANCE_IPS")}~{workload}~{metadata.Text("NAMESPACE")}.svc.cluster.local",
            Metadata = Struct.Parser.ParseJson(metadata.GetRawText()),
        };
        foreach (string type in Watched) _loop.Streams.Receive(stream, new DeltaDiscoveryRequest { Node = node, TypeUrl = type }, _now);
        foreach (string type in new[] { TypeUrls.Endpoint, TypeUrls.Route })
        {
            var asked = new DeltaDiscoveryRequest { TypeUrl = type };
            if (client.GetProperty("watches").TryGetProperty(type, out JsonElement names)) asked.ResourceNamesSubscribe.Add(names.EnumerateArray().Select(name => name.GetString()!));
            _loop.Streams.Receive(stream, asked, _now);
        }
        while (_loop.Streams.Next(stream, _now) is { } response) _loop.Streams.Receive(stream, new DeltaDiscoveryRequest { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce }, _now);
    }
}
