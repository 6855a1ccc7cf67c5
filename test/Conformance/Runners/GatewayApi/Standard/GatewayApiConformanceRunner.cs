using System.Text.Json;
using Lateen.Config.Resources;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Names;
using Lateen.Test.Rigs.Stage;
using Lateen.Test.Rigs.Text;
using Gateway = Kubernetes.Gateway.V1.Gateway;

namespace Lateen.Test.Conformance.Runners.GatewayApi.Standard;

/// <summary>Plays <c>gateway-api-conformance</c>: one conformance test of the Gateway API a case, with its conditions and its
/// requests.</summary>
public sealed class GatewayApiConformanceRunner : RowsRunner
{
    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "gateway-api-conformance";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        _path = path;
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", row =>
    {
        try
        {
            return Case(row);
        }
        catch (ScenarioException broken)
        {
            return broken.Message;
        }
    });

    private string? Case(JsonElement row)
    {
        bool inMesh = row.Text("target") == "mesh";
        JsonElement[] requests = row.TryGetProperty("requests", out JsonElement sent) ? [.. sent.EnumerateArray()] : [];
        JsonElement[] checks = row.TryGetProperty("checks", out JsonElement waited) ? [.. waited.EnumerateArray()] : [];
        string[] gateways = [.. checks.Select(NamedGateway).Where(name => name.Length > 0).Distinct()];
        if (gateways.Length == 0)
            gateways = [.. checks.Where(check => check.Text("check").StartsWith("GatewayMust", StringComparison.Ordinal))
                .Select(check => check.GetProperty("args")[0]).Select(named => $"{named.Text("namespace")}/{named.Text("name")}")
                .Distinct()];
        var cluster = new Cluster(
            [Read(inMesh ? "data/mesh.yaml" : "data/base.yaml"), .. row.Texts("manifests").Select(Read),
                .. UnrecordedSteps.Routes(checks, [.. row.Texts("manifests").Select(Read)])], requests.Length > 0 && !inMesh
                    ? gateways.ToHashSet() : null, inMesh);
        var status = new StatusChecks(cluster.Objects);
        // A test for those who lack a feature asks nothing of those who have it: its listeners are served.
        if (row.Text("name").EndsWith("NotSupported", StringComparison.Ordinal) && checks.All(check => status.Serves(check))) return null;
        var withdrawn = new Lazy<StatusChecks>(
            () => new StatusChecks([.. cluster.Objects.Where(one => one is not Resource<Kubernetes.Gateway.V1.ReferenceGrant>)]));
        if (UnrecordedSteps.AsWritten(checks).Select(check => Unmet(check, status, withdrawn))
            .FirstOrDefault(m => m is not null) is { } unmet)
            return cluster.Refusals.Count > 0 ? $"{unmet}; refused: {cluster.Refusals[0]}" : unmet;
        var player = new Requests(cluster);
        return requests.Select(request => inMesh ? FromPods(cluster, player, request) : AtGateways(cluster, player, request, gateways))
            .FirstOrDefault(m => m is not null);
    }

    // That a reference is not permitted is waited for after the test took away the grant that its manifests give.
    private static string? Unmet(JsonElement check, StatusChecks status, Lazy<StatusChecks> withdrawn) =>
        status.Mistake(check) is { } mistake
            && !(check.GetRawText().Contains("RefNotPermitted", StringComparison.Ordinal) && withdrawn.Value.Mistake(check) is null)
            ? mistake : null;

    // Where several gateways were waited for, the record does not tell to which one a request went: it has to be right at one of them.
    private static string? AtGateways(Cluster cluster, Requests player, JsonElement request, string[] gateways)
    {
        var mistakes = new List<string>();
        foreach (string name in gateways)
        {
            string[] parts = name.Split('/');
            if (cluster.GatewayPod(parts[0], parts[1]) is not { } pod) continue;
            var gateway = cluster.Objects.OfType<Resource<Gateway>>().First(g => g.Namespace == parts[0] && g.Name == parts[1]);
            bool isTls = request.TryGetProperty("serverName", out _) || request.Text("call").Contains("TLS", StringComparison.Ordinal);
            // The record tells neither the port nor the listener: it has to be right at one that speaks so.
            foreach (int port in gateway.Spec.Spec.Listeners.Where(l => l.Protocol is "HTTPS" or "TLS" == isTls).Select(l => l.Port)
                .Distinct())
            {
                if (player.AtGateway(request, pod, port, isTls) is not { } mistake) return null;
                mistakes.Add(mistake);
            }
        }
        return mistakes.FirstOrDefault() ?? "there is no gateway to send the request to";
    }

    private static string? FromPods(Cluster cluster, Requests player, JsonElement request)
    {
        var wanted = request.Text("client").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(label => label.Split('=')).ToArray();
        Pod[] clients = [.. cluster.Applications.Where(pod => wanted.All(label => pod.Labels.GetValueOrDefault(label[0]) == label[1]))];
        // Tests of one namespace only tell the labels: the namespace of the backends comes first.
        Pod[] own = [.. clients.Where(pod => pod.Namespace == "gateway-conformance-mesh")];
        string? mistake = null;
        foreach (Pod client in wanted.Length > 0 ? own : clients)
        {
            if (player.InMesh(request, client) is not { } wrong) return null;
            mistake ??= wrong;
        }
        return mistake ?? "there is no client";
    }

    private static string NamedGateway(JsonElement check)
    {
        if (!check.Text("check").EndsWith("MustBeAccepted", StringComparison.Ordinal)) return "";
        JsonElement first = check.GetProperty("args")[0];
        return first.ValueKind == JsonValueKind.Object && first.TryGetProperty("gateway", out JsonElement gateway)
            && gateway.Text("name").Length > 0 ? $"{gateway.Text("namespace")}/{gateway.Text("name")}" : "";
    }

    private string Read(string file) => File.ReadAllText(Path.Combine(_path, file));
}
