using System.Text.Json;
using System.Text.Json.Nodes;
using Istio.Mesh.V1Alpha1;
using Lateen.Injector.BuiltIn;
using Lateen.Injector.Gateways;
using Lateen.Injector.Templates;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Injection;

/// <summary>Plays <c>gateway-deployment</c>: Gateways, and the objects that are written for them.</summary>
public sealed class GatewayDeploymentRunner : RowsRunner
{
    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "gateway-deployment";

    /// <inheritdoc/>
    public override IEnumerable<Frame.CaseResult> Run(string path)
    {
        _path = path;
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", Case);

    private string? Case(JsonElement row)
    {
        DeploymentResult have = row.Texts("discoveryNamespaces") is { Count: > 0 } watched
            && !watched.Contains(row.GetProperty("gateway").GetProperty("metadata").GetProperty("namespace").GetString()!)
            ? new DeploymentResult([]) : Deployed(row);
        if (row.Truth("ignored")) return have.Objects.Count == 0 ? null : "expected nothing to be written";
        JsonObject[] want = [.. PlainText.Trees(File.ReadAllText(Path.Combine(_path, row.Text("want")))).OfType<JsonObject>()];
        if (have.Objects.Count != want.Length) return $"have {have.Objects.Count} objects, want {want.Length}; {have.Problem}";
        return have.Objects.Zip(want)
            .Select(pair => KubernetesObjects.Difference(pair.First, pair.Second) is { } difference
                ? $"{pair.Second["kind"]}{difference}" : null).FirstOrDefault(difference => difference is not null);
    }

    private static DeploymentResult Deployed(JsonElement row)
    {
        var gateway = (JsonObject)JsonNode.Parse(row.GetProperty("gateway").GetRawText())!;
        string name = gateway["spec"]!["gatewayClassName"]!.ToString();
        DeploymentClass kind = DeploymentClass.Of(name == "custom" ? "istio.io/gateway-controller" : DeploymentClass.ControllerOf(name))!;
        MeshConfig mesh = MeshConfigs.Defaults();
        ProxyConfig proxy = mesh.DefaultConfig;
        if (row.TryGetProperty("proxyConfigs", out JsonElement configs))
        {
            foreach (JsonElement config in configs.EnumerateArray())
                proxy = ProxyConfigs.Merge(
                    ProxyConfigs.Convert(Tables.Rows.Message<Istio.Networking.V1Beta1.ProxyConfig>(config.GetProperty("spec"))), proxy)!;
        }
        // There are no settings but a case's own, and the image's name.
        var values = PlainText.Tree(row.Text("values")) as JsonObject
            ?? new JsonObject { ["global"] = new JsonObject { ["hub"] = "test", ["tag"] = "test" } };
        JsonObject[] objects = row.TryGetProperty("objects", out JsonElement written)
            ? [.. written.EnumerateArray().Select(one => (JsonObject)JsonNode.Parse(one.GetRawText())!)] : [];
        return new GatewayDeployment(BuiltInInjection.Of(values)).Deploy(new DeploymentRequest
        {
            Gateway = gateway, Class = kind, Mesh = mesh, Proxy = proxy, ProxyDefaults = MeshConfigs.DefaultProxyConfig(),
            HasQuic = row.Truth("enableQUICListeners"), CopiesMetadata =
                !row.TryGetProperty("copyLabelsAnnotations", out JsonElement copies) || copies.GetBoolean(),
            Existing = (of, called) =>
                Array.Find(objects, one => one["kind"]!.ToString() == of && one["metadata"]!["name"]!.ToString() == called),
        });
    }
}
