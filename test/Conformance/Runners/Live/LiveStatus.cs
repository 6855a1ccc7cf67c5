using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Config.Resources;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Live;

/// <summary>Plays <c>status</c>: the objects are created in the cluster, and what stands in their status is compared, before and after the
/// LoadBalancer services have an address.</summary>
internal sealed class LiveStatus
{
    /// <summary>What LoadBalancer services were given in the course of the recording.</summary>
    public const string Address = "198.51.100.7";
    private static readonly string[] Unasked = ["lastTransitionTime", "message", "observedGeneration"];
    private readonly LiveStand _stand;
    private readonly Dictionary<string, string?> _verdicts = [];

    public LiveStatus(LiveStand stand, string folder)
    {
        _stand = stand;
        if (!File.Exists(Path.Combine(folder, "status.json"))) return;
        stand.Cluster.Put(Certificate());
        stand.Cluster.Put("apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: istio}\nspec: {controller: "
            + "istio.io/ingress-controller}\n");
        stand.Cluster.Put(File.ReadAllText(Path.Combine(folder, "gateway-world.yaml")));
        using JsonDocument table = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "status.json")));
        JsonElement[] rows = [.. table.RootElement.GetProperty("cases").EnumerateArray()];
        foreach (JsonElement row in rows) _verdicts[row.Text("name")] = Await(row, row.GetProperty("status"), "status");
        GiveAddresses();
        foreach (JsonElement row in rows)
            if (row.TryGetProperty("statusWithAddress", out JsonElement then))
                _verdicts[row.Text("name")] ??= Await(row, then, "status with an address");
    }

    /// <summary>The verdict on one object.</summary>
    public string? Said(JsonElement row) => _verdicts[row.Text("name")];

    private string? Await(JsonElement row, JsonElement wanted, string when)
    {
        JsonObject written = JsonNode.Parse(row.GetProperty("object").GetRawText())!.AsObject();
        string version = (string)written["apiVersion"]!, name = (string)written["kind"]!;
        ResourceKind kind = Kinds.All.First(kind => kind.Name == name && version.StartsWith(kind.Group, StringComparison.Ordinal));
        JsonObject? Now() =>
            _stand.Cluster.Server.Get(kind, (string?)written["metadata"]!["namespace"] ?? "", (string)written["metadata"]!["name"]!);
        JsonNode? want = JsonNode.Parse(wanted.GetRawText());
        Written(want);
        string? difference = null;
        LiveStand.Until(() => (difference = Differs(Now()?["status"], want, "")) is null, seconds: 20);
        return difference is null ? null : $"{when}{difference}";
    }

    // A real API server presets what a reference to a parent leaves open; the one in memory does not.
    private static void Written(JsonNode? status)
    {
        foreach (JsonObject reference in (status?["parents"] as JsonArray ?? []).Select(parent => parent!["parentRef"])
            .OfType<JsonObject>())
        {
            if ((string?)reference["kind"] != "Gateway") continue;
            reference.Remove("group");
            reference.Remove("kind");
        }
    }

    // Conditions by their type; what the recording lacks says nothing, as no status at all and an empty one do.
    private static string? Differs(JsonNode? have, JsonNode? want, string at)
    {
        switch (have, want)
        {
            case (JsonArray left, JsonArray right)
                when right.Concat(left).OfType<JsonObject>().Any(item => item["type"] is not null && item["status"] is not null):
                return Differs(ByType(left), ByType(right), at);
            case (JsonArray left, JsonArray right):
                return left.Count != right.Count
                    ? $"{at}: have {left.ToJsonString()}, want {right.ToJsonString()}" : left.Zip(right)
                        .Select((pair, i) => Differs(pair.First, pair.Second, $"{at}[{i}]")).FirstOrDefault(static d => d is not null);
            case (_, JsonObject or null) when have is JsonObject or null:
                return ((have as JsonObject) ?? []).Select(member => member.Key)
                    .Union(((want as JsonObject) ?? []).Select(member => member.Key)).Except(Unasked)
                    .Select(key => Differs((have as JsonObject)?[key], (want as JsonObject)?[key], $"{at}.{key}"))
                    .FirstOrDefault(static d => d is not null);
            case (null or JsonArray { Count: 0 }, null or JsonArray { Count: 0 }):
                return null;
            default:
                return JsonNode.DeepEquals(have, want)
                    ? null : $"{at}: have {have?.ToJsonString() ?? "nothing"}, want {want?.ToJsonString() ?? "nothing"}";
        }
    }

    private static JsonObject ByType(JsonArray conditions) =>
        new([.. conditions.OfType<JsonObject>()
            .Select(condition => KeyValuePair.Create((string)condition["type"]!, (JsonNode?)condition.DeepClone()))]);

    private void GiveAddresses()
    {
        const string Ns = "shop", Name = "auto-istio";
        // The gateway's own service is made by the control plane; what stands behind it is the cluster's matter.
        LiveStand.Until(() => _stand.Cluster.Server.Get(LiveStand.Services, Ns, Name) is not null, seconds: 20);
        foreach ((string ns, string name) in new[] { (Ns, Name), ("istio-system", "istio-ingressgateway") })
            _stand.GiveAddress(ns, name, Address);
        _stand.Cluster.Put($$"""
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: {{Name}}-1, namespace: {{Ns}}, labels: {kubernetes.io/service-name: {{Name}}} }
            addressType: IPv4
            ports: [{name: http, port: 80}, {name: tls-missing, port: 443}, {name: tls-ok, port: 8443}, {name: status-port, port: 15021}]
            endpoints: [{addresses: [10.10.0.41], conditions: {ready: true} }]
            """);
    }

    private static string Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using X509Certificate2 made =
            new CertificateRequest("CN=shop.example.com", key, HashAlgorithmName.SHA256).CreateSelfSigned(now.AddDays(-1), now.AddDays(30));
        string Coded(string pem) => Convert.ToBase64String(Encoding.UTF8.GetBytes(pem));
        return $"apiVersion: v1\nkind: Secret\nmetadata: {{name: good-cert, namespace: shop}}\ntype: kubernetes.io/tls\ndata: "
            + $"{{tls.crt: {Coded(made.ExportCertificatePem())}, tls.key: {Coded(key.ExportPkcs8PrivateKeyPem())}}}\n";
    }
}
