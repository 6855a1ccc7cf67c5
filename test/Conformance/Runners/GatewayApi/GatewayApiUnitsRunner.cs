using System.Text.Json;
using System.Text.Json.Nodes;
using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;
using Lateen.Injector.Gateways;
using Lateen.Injector.Templates;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Pilot.Meaning.GatewayApi;
using Lateen.Pilot.Meaning.Ingresses;
using Lateen.Registry;
using Lateen.Test.Conformance.Runners.Tables;
using Mode = Istio.Mesh.V1Alpha1.MeshConfig.Types.IngressControllerMode;
using HTTPRoute = Istio.Networking.V1Alpha3.HTTPRoute;

namespace Lateen.Test.Conformance.Runners.GatewayApi;

/// <summary>Plays <c>gateway-api-units</c>: single rules of the conversion.</summary>
internal sealed class GatewayApiUnitsRunner : TableRunner
{
    public GatewayApiUnitsRunner() : base("gateway-api-units")
    {
        Table("sort-http-routes", (row, _) => Rows.SameList(
            HttpRouteConversion.Sorted(row.Items("in").Select(written => (Rows.Message<HTTPRoute>(written), false)))
                .Select(route => route.ToString()), row.Items("out").Select(Rows.Message<HTTPRoute>).Select(route => route.ToString())));
        Table("reference-grant", Grants);
        Table("header-filter", (row, _) =>
        {
            var filter = row.Field("filter") is { ValueKind: JsonValueKind.Object } written
                ? Rows.Message<HTTPHeaderFilter>(written) : null;
            return Rows.Same(HttpFilterConversion.Merge(new Headers.Types.HeaderOperations(), filter) is not null, row.Flag("wantErr"));
        });
        Table("listeners-distinct",
            (row, _) =>
                Rows.Same(ListenerConflicts.AreDistinct(Rows.Message<Listener>(row.GetProperty("a")),
                    Rows.Message<Listener>(row.GetProperty("b"))), row.Flag("want")));
        Table("listener-conflict",
            (row, _) =>
                Rows.Same(ListenerConflicts.ReasonOf(Rows.Message<Listener>(row.GetProperty("a")),
                    Rows.Message<Listener>(row.GetProperty("b"))), row.Text("want")));
        Table("ingress-class", IngressClass);
        Table("deployment-customization", Customization);
    }

    private static string? Grants(JsonElement row, JsonElement context)
    {
        IReadOnlyList<Resource> resources = ConversionFixture.Decode(row.Text("config"));
        var world = new GatewayApiWorld(SnapshotResources.Of("row", RegistryView.Empty, Rows.Settings(), resources).GatewayApi,
            RegistryView.Empty, "cluster.local");
        foreach (JsonElement expectation in row.Items("expectations"))
        {
            string[] secret = expectation.Text("name")["kubernetes-gateway://".Length..].Split('/');
            bool allowed = world.IsGranted("Gateway", expectation.Text("namespace"), "", "Secret", secret[0], secret[1]);
            if (allowed != expectation.Flag("allowed"))
                return $"{expectation.Text("name")} from {expectation.Text("namespace")}: have {allowed}";
        }
        return null;
    }

    private static string? Customization(JsonElement row, JsonElement context)
    {
        JsonElement input = row.GetProperty("input");
        var rendered = (JsonObject)PlainText.Tree(row.Text("yml"))!;
        string? refusal = GatewayDeployment.Refusal(rendered, (JsonObject)JsonNode.Parse(input.GetProperty("gateway").GetRawText())!,
            (input.Text("deploymentName"), input.Text("serviceAccount")));
        return refusal is null == !row.Flag("expectError") && (refusal ?? "").Contains(row.Text("errorContains"), StringComparison.Ordinal)
            ? null : $"have {refusal ?? "no refusal"}";
    }

    private static string? IngressClass(JsonElement row, JsonElement context)
    {
        var settings = Rows.Settings();
        settings.Mesh.IngressControllerMode = row.Field("ingressMode") switch
        {
            { ValueKind: JsonValueKind.Number } => Mode.Off,
            { ValueKind: JsonValueKind.String } mode => Enum.Parse<Mode>(mode.GetString()!, ignoreCase: true),
            _ => Mode.Unspecified,
        };
        settings.Mesh.IngressClass = "istio";
        string annotation = row.TryGetProperty("annotation", out JsonElement written)
            ? $"  annotations:\n    kubernetes.io/ingress.class: \"{written.GetString()}\"\n" : "";
        bool hasClass = row.Field("ingressClass") is { ValueKind: JsonValueKind.Object };
        string name = hasClass ? row.GetProperty("ingressClass").GetProperty("metadata").GetProperty("name").GetString()! : "";
        string yaml = $"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: test\n  namespace: default\n{annotation}spec:\n"
            + (hasClass ? $"  ingressClassName: {name}\n" : "")
            + "  rules:\n  - http:\n      paths:\n      - {path: /, backend: {service: {name: a, port: {number: 80}}}}\n";
        if (hasClass)
            yaml +=
                $"---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata:\n  name: {name}\nspec:\n  "
                + $"controller: {row.GetProperty("ingressClass").GetProperty("spec").GetProperty("controller").GetString()}\n";
        var inputs = SnapshotResources.Of("row", RegistryView.Empty, settings, ConversionFixture.Decode(yaml));
        return Rows.Same(
            new IngressConverter().Convert(inputs.Ingresses, inputs.IngressClasses, RegistryView.Empty, settings).Gateways.Count > 0,
            row.Flag("shouldProcess"));
    }
}
