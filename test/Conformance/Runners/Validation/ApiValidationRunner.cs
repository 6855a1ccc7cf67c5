using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Istio.Telemetry.V1Alpha1;
using Lateen.Api.Names;
using Lateen.Config.Validation;
using Lateen.Config.Validation.Mesh;
using Lateen.Config.Validation.Policies;
using Lateen.Config.Validation.Routing;
using Lateen.Config.Validation.Traffic;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Validation;

/// <summary>Plays <c>api-validation</c>: the validating webhook's rules, on whole objects and on parts.</summary>
public sealed class ApiValidationRunner : RowsRunner
{
    private static readonly string[] WholeObjects =
    [
        "VirtualService", "VirtualService-delegation", "DestinationRule", "Gateway", "ServiceEntry", "WorkloadEntry", "WorkloadGroup",
        "Sidecar",
        "AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication", "Telemetry", "WasmPlugin", "TrafficExtension", "EnvoyFilter",
        "ProxyConfig",
    ];

    /// <inheritdoc/>
    public override string Folder => "api-validation";

    /// <inheritdoc/>
    protected override void PlayAll()
    {
        foreach (string table in WholeObjects)
            Play(table + ".json", row => Judging.Verdict(row, Judging.Check(row.GetProperty("resource").GetRawText())));
        Play("istioctl-validate.json", row => Judging.Verdict(row, Judging.Check(row.Text("input"))));
        PartsOfVirtualServices();
        PartsOfGateways();
        PartsOfDestinationRules();
        MeshSettings();
    }

    private void PartsOfVirtualServices()
    {
        Part<HTTPRoute>("part-HTTPRoute", (f, r) => HttpRouteRules.Check(f, "x", r, false, false));
        Part<HTTPRoute>("part-HTTPRoute-root", (f, r) => HttpRouteRules.Check(f, "x", r, false, false));
        Part<HTTPRoute>("part-HTTPRoute-delegate", (f, r) => HttpRouteRules.Check(f, "x", r, true, false));
        Part<CorsPolicy>("part-CorsPolicy", (f, p) => HttpPolicyRules.Cors(f, "x", p));
        Part<HTTPFaultInjection.Types.Abort>("part-FaultAbort", (f, p) => HttpPolicyRules.Abort(f, "x", p));
        Part<HTTPFaultInjection.Types.Delay>("part-FaultDelay", (f, p) => HttpPolicyRules.Delay(f, "x", p));
        Part<HTTPRetry>("part-Retries", (f, p) => HttpPolicyRules.Retries(f, "x", p));
        Part<HTTPRewrite>("part-Rewrite", (f, p) => HttpPolicyRules.Rewrite(f, "x", p));
        Part<RegexRewrite>("part-UriRegexRewrite", (f, p) => HttpPolicyRules.RegexRewrite(f, "x", p));
        Part<HTTPRedirect>("part-Redirect", (f, p) => HttpPolicyRules.Redirect(f, "x", p));
        Part<HTTPDirectResponse>("part-DirectResponse", (f, p) => HttpRouteRules.DirectResponse(f, "x", p), AsBase64);
        Part<Destination>("part-Destination", (f, p) => VirtualServiceRules.Destination(f, "x", p));
        Part<TLSRoute>("part-RouteDestination", (f, p) => VirtualServiceRules.Destinations(f, "x", p.Route),
            input => "{\"route\":" + input + "}");
        Value("part-HTTPStatus", (f, v) => Rules.HttpStatus(f, "x", v.GetInt64()));
        Value("part-HeaderName", (f, v) => Rules.HeaderName(f, "x", v.GetString()!));
        Value("part-HeaderName-strict", (f, v) => Rules.StrictHeaderName(f, "x", v.GetString()!));
        Value("part-HeaderValue", (f, v) => f.ErrorIf(Rules.HeaderValue(v.GetString()!), ValidationCodes.BadHeader, "x"));
        Value("part-PortName", (f, v) => Rules.PortName(f, "x", v.GetString()!));
        Value("part-ExportTo",
            (f, v) => Rules.ExportTo(f, v.Texts("exportTo"), v.Text("namespace"), v.Truth("isServiceEntry"),
                v.Truth("isDestinationRuleWithSelector")));
    }

    private void PartsOfGateways()
    {
        Part<Server>("part-Server", (f, p) => GatewayRules.Server(f, "x", p));
        Value("part-ServerPort",
            (f, v) => GatewayRules.Port(f, "x", Judging.Read<Port>(v.GetProperty("port").GetRawText(), f), v.Text("bind")));
        Part<ServerTLSSettings>("part-ServerTLSSettings", (f, p) => ServerTlsRules.Check(f, "x", p));
        Part<AccessLogging.Types.Filter>("part-AccessLogFilter",
            (f, p) => f.ErrorIf(TelemetryRules.FilterProblem(p), ValidationCodes.Telemetry, "x"));
    }

    private void PartsOfDestinationRules()
    {
        Part<TrafficPolicy>("part-TrafficPolicy", (f, p) => TrafficPolicyRules.Check(f, "x", p));
        Part<ConnectionPoolSettings>("part-ConnectionPool", (f, p) => TrafficPolicyRules.ConnectionPool(f, "x", p));
        Part<LoadBalancerSettings>("part-LoadBalancer", (f, p) => LoadBalancerRules.Check(f, "x", p, new OutlierDetection()));
        Part<OutlierDetection>("part-OutlierDetection", (f, p) => TrafficPolicyRules.Outlier(f, "x", p));
        Part<ClientTLSSettings>("part-ClientTLSSettings", (f, p) => TrafficPolicyRules.ClientTls(f, "x", p));
        Value("part-LocalityLb",
            (f, v) => LoadBalancerRules.Locality(f, "x", Maybe<LocalityLoadBalancerSetting>(v, "localityLbSetting", f),
                Maybe<OutlierDetection>(v, "outlierDetection", f)));
        Value("part-ZoneAwareLb",
            (f, v) => LoadBalancerRules.ZoneAware(f, "x", Maybe<ZoneAwareLoadBalancerSetting>(v, "localityLbSetting", f),
                Maybe<OutlierDetection>(v, "outlierDetection", f)));
        Value("part-Localities", (f, v) => LoadBalancerRules.Localities(f, "x", v.EnumerateArray().Select(e => e.GetString()!).ToArray()));
    }

    private void MeshSettings()
    {
        Part<ProxyConfig>("mesh-ProxyConfig", (f, p) => ProxyConfigRules.Check(f, "x", p));
        Part<ConnectionSettings>("mesh-ConnectionSettings", (f, p) => ProxyConfigRules.ConnectionSettingsAre(f, "x", p));
        Part<MeshConfig.Types.DefaultTrafficPolicy>("mesh-DefaultTrafficPolicy", (f, p) => MeshConfigRules.DefaultTrafficPolicy(f, "x", p));
        Part<HTTPRetry>("mesh-InboundRetryPolicy", (f, p) => MeshConfigRules.InboundRetries(f, "x", p));
        Value("mesh-ServiceSettings", (f, v) => MeshConfigRules.ServiceHosts(f, "x", v.EnumerateArray().Select(e => e.GetString()!)));
        Value("mesh-ControlPlaneAuth", (f, v) => ProxyConfigRules.AuthPolicy(f, "x", (AuthenticationPolicy)v.GetInt32()));
        Value("mesh-Networks", (f, v) =>
        {
            foreach (var item in MeshConfigRules.Check(Judging.Read<MeshNetworks>(v.GetRawText(), f)).Items)
                f.Error(item.Code, item.Path, item.Text);
        });
        Value("mesh-ExtensionProvider-service", (f, v) => ProviderRules.Service(f, "x", v.GetString()!));
        foreach (string kind in new[] { "zipkin", "lightstep", "datadog", "opencensus", "envoyOtelAls", "envoyHttpAls", "envoyTcpAls",
            "opentelemetry" })
            Part<MeshConfig.Types.ExtensionProvider>("mesh-ExtensionProvider-" + kind, (f, p) => ProviderRules.Check(f, "x", p),
                input => $"{{\"name\":\"p\",\"{kind}\":{input}}}");
    }

    private void Part<T>(string table, Action<Findings, T> check, Func<string, string>? wrap = null)
        where T : class, IMessage<T>, new() => Value(table, (f, input) =>
    {
        if (input.ValueKind != JsonValueKind.Null)
            check(f, Judging.Read<T>(wrap is null ? input.GetRawText() : wrap(input.GetRawText()), f));
    });

    private void Value(string table, Action<Findings, JsonElement> check) => Play(table + ".json", row =>
    {
        var findings = new Findings();
        check(findings, row.TryGetProperty("input", out JsonElement input) ? input : row);
        return Judging.Verdict(row, findings);
    });

    private static T? Maybe<T>(JsonElement row, string name, Findings findings)
        where T : class, IMessage<T>, new() =>
        row.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? Judging.Read<T>(value.GetRawText(), findings) : null;

    /// <summary>The table has a body's bytes as they are; JSON has them in base64.</summary>
    private static string AsBase64(string input)
    {
        JsonNode root = JsonNode.Parse(input)!;
        if (root["body"]?["bytes"] is { } bytes)
            root["body"]!["bytes"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(bytes.GetValue<string>()));
        return root.ToJsonString();
    }
}
