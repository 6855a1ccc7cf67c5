using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Istio.Telemetry.V1Alpha1;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Lateen.Config.Validation;
using Lateen.Config.Validation.Mesh;
using Lateen.Config.Validation.Policies;
using Lateen.Config.Validation.Routing;
using Lateen.Config.Validation.Traffic;
using Lateen.Test.Unit.Api;
using Xunit;

namespace Lateen.Test.Unit.Config.Validation;

public sealed class ValidationVectorTests
{
    [Theory]
    [InlineData("VirtualService")]
    [InlineData("VirtualService-delegation")]
    [InlineData("DestinationRule")]
    [InlineData("Gateway")]
    [InlineData("ServiceEntry")]
    [InlineData("WorkloadEntry")]
    [InlineData("WorkloadGroup")]
    [InlineData("Sidecar")]
    [InlineData("AuthorizationPolicy")]
    [InlineData("PeerAuthentication")]
    [InlineData("RequestAuthentication")]
    [InlineData("Telemetry")]
    [InlineData("WasmPlugin")]
    [InlineData("TrafficExtension")]
    [InlineData("EnvoyFilter")]
    [InlineData("ProxyConfig")]
    public void Whole_objects(string table) => Vectors.Play($"api-validation/{table}.json", row => Verdict(row, Check(row.GetProperty("resource").GetRawText())));

    [Fact]
    public void Texts_of_istioctl_validate() => Vectors.Play("api-validation/istioctl-validate.json", row =>
        // IstioOperator is input of an installer, not of a mesh.
        row.Text("name").Contains("Istio Operator", StringComparison.Ordinal) ? null : Verdict(row, Check(row.Text("input"))));

    /// <summary>Rows that a live istiod answered otherwise on purpose: it lets unknown fields and unknown enum values through, which ours tells (docs/differences.md).</summary>
    [Fact]
    public void Answers_of_the_webhook() => Vectors.Play("istiod-live/validate.json", row =>
    {
        if (!row.TryGetProperty("request", out var review) || !review.TryGetProperty("request", out var request) || request.ValueKind != JsonValueKind.Object
            || !request.TryGetProperty("object", out var written) || written.ValueKind != JsonValueKind.Object
            || !row.GetProperty("response").TryGetProperty("response", out var response) || response.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        var f = Check(written.GetRawText());
        if (f.Items.Any(i => i.Code == DocumentCodes.UnknownField || i.Code == ResourceCodes.NoName))
        {
            return null;
        }

        var found = string.Join("; ", f.Items.Select(i => $"{i.Level} {i.Path}: {i.Text}"));
        var message = response.TryGetProperty("status", out var status) ? status.Text("message") : "";
        if (message.StartsWith("unrecognized type", StringComparison.Ordinal))
        {
            // Which kinds are asked for at all is the webhook's own matter.
            return null;
        }

        return response.Truth("allowed") == f.HasErrors ? $"allowed is {response.Truth("allowed")} ({message}), found {found}"
            : !f.HasErrors && response.TryGetProperty("warnings", out _) != f.HasWarnings ? $"warnings {response}, found {found}" : null;
    });

    [Fact]
    public void Objects_of_crd_validation() => Vectors.Play("crd-validation/cases.json", row => Verdict(row, Check(row.Text("resource"))));

    [Fact]
    public void Objects_of_the_gateway_api() => Vectors.Play("gateway-api-validation/cases.json", row =>
    {
        var text = row.TryGetProperty("resource", out var resource) ? resource.GetRawText() : File.ReadAllText(Path.Combine(Vectors.Root(), "gateway-api-validation", row.Text("file")));
        // Two rows are about a status that they lost.
        return row.Text("name").Contains("in status addresses", StringComparison.Ordinal) ? null : Verdict(row, Check(text));
    });

    [Fact]
    public void Parts_of_virtual_services()
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
        Part<TLSRoute>("part-RouteDestination", (f, p) => VirtualServiceRules.Destinations(f, "x", p.Route), input => "{\"route\":" + input + "}");
        Value("part-HTTPStatus", (f, v) => Rules.HttpStatus(f, "x", v.GetInt64()));
        Value("part-HeaderName", (f, v) => Rules.HeaderName(f, "x", v.GetString()!));
        Value("part-HeaderName-strict", (f, v) => Rules.StrictHeaderName(f, "x", v.GetString()!));
        Value("part-HeaderValue", (f, v) => f.ErrorIf(Rules.HeaderValue(v.GetString()!), ValidationCodes.BadHeader, "x"));
        Value("part-PortName", (f, v) => Rules.PortName(f, "x", v.GetString()!));
        Value("part-ExportTo", (f, v) => Rules.ExportTo(f, v.Texts("exportTo"), v.Text("namespace"), v.Truth("isServiceEntry"), v.Truth("isDestinationRuleWithSelector")));
    }

    [Fact]
    public void Parts_of_gateways_and_destination_rules()
    {
        Part<Server>("part-Server", (f, p) => GatewayRules.Server(f, "x", p));
        Value("part-ServerPort", (f, v) => GatewayRules.Port(f, "x", Read<Port>(v.GetProperty("port").GetRawText(), f), v.Text("bind")));
        Part<ServerTLSSettings>("part-ServerTLSSettings", (f, p) => ServerTlsRules.Check(f, "x", p));
        Part<TrafficPolicy>("part-TrafficPolicy", (f, p) => TrafficPolicyRules.Check(f, "x", p));
        Part<ConnectionPoolSettings>("part-ConnectionPool", (f, p) => TrafficPolicyRules.ConnectionPool(f, "x", p));
        Part<LoadBalancerSettings>("part-LoadBalancer", (f, p) => LoadBalancerRules.Check(f, "x", p, new OutlierDetection()));
        Part<OutlierDetection>("part-OutlierDetection", (f, p) => TrafficPolicyRules.Outlier(f, "x", p));
        Part<ClientTLSSettings>("part-ClientTLSSettings", (f, p) => TrafficPolicyRules.ClientTls(f, "x", p));
        Value("part-LocalityLb", (f, v) => LoadBalancerRules.Locality(f, "x", Maybe<LocalityLoadBalancerSetting>(v, "localityLbSetting", f), Maybe<OutlierDetection>(v, "outlierDetection", f)));
        Value("part-ZoneAwareLb", (f, v) => LoadBalancerRules.ZoneAware(f, "x", Maybe<ZoneAwareLoadBalancerSetting>(v, "localityLbSetting", f), Maybe<OutlierDetection>(v, "outlierDetection", f)));
        Value("part-Localities", (f, v) => LoadBalancerRules.Localities(f, "x", v.EnumerateArray().Select(e => e.GetString()!).ToArray()));
        Part<AccessLogging.Types.Filter>("part-AccessLogFilter", (f, p) => f.ErrorIf(TelemetryRules.FilterProblem(p), ValidationCodes.Telemetry, "x"));
    }

    [Fact]
    public void Mesh_settings()
    {
        Part<ProxyConfig>("mesh-ProxyConfig", (f, p) => ProxyConfigRules.Check(f, "x", p));
        Part<ConnectionSettings>("mesh-ConnectionSettings", (f, p) => ProxyConfigRules.ConnectionSettingsAre(f, "x", p));
        Part<MeshConfig.Types.DefaultTrafficPolicy>("mesh-DefaultTrafficPolicy", (f, p) => MeshConfigRules.DefaultTrafficPolicy(f, "x", p));
        Part<HTTPRetry>("mesh-InboundRetryPolicy", (f, p) => MeshConfigRules.InboundRetries(f, "x", p));
        Value("mesh-ServiceSettings", (f, v) => MeshConfigRules.ServiceHosts(f, "x", v.EnumerateArray().Select(e => e.GetString()!)));
        Value("mesh-ControlPlaneAuth", (f, v) => ProxyConfigRules.AuthPolicy(f, "x", (AuthenticationPolicy)v.GetInt32()));
        Value("mesh-Networks", (f, v) => Copy(MeshConfigRules.Check(Read<MeshNetworks>(v.GetRawText(), f)), f));
        Value("mesh-ExtensionProvider-service", (f, v) => ProviderRules.Service(f, "x", v.GetString()!));
        foreach (var kind in new[] { "zipkin", "lightstep", "datadog", "opencensus", "envoyOtelAls", "envoyHttpAls", "envoyTcpAls", "opentelemetry" })
        {
            Part<MeshConfig.Types.ExtensionProvider>("mesh-ExtensionProvider-" + kind, (f, p) => ProviderRules.Check(f, "x", p), input => $"{{\"name\":\"p\",\"{kind}\":{input}}}");
        }
    }

    private static Findings Check(string text)
    {
        var f = new Findings();
        var bag = new DiagnosticBag();
        var resources = new ResourceDecoder(new DecoderOptions { TellUnused = false }).Decode(text, "", bag);
        foreach (var diagnostic in bag.Concat(resources.SelectMany(Validator.CheckConventions)))
        {
            Tell(f, diagnostic);
        }

        return f;
    }

    private static void Tell(Findings f, Diagnostic diagnostic)
    {
        if (diagnostic.IsError)
        {
            f.Error(diagnostic.Code, diagnostic.Path, diagnostic.Text);
        }
        else if (diagnostic.Level == DiagnosticLevel.Warning)
        {
            f.Warn(diagnostic.Code, diagnostic.Path, diagnostic.Text);
        }
    }

    private static void Copy(Findings from, Findings to)
    {
        foreach (var item in from.Items)
        {
            to.Error(item.Code, item.Path, item.Text);
        }
    }

    private static T Read<T>(string json, Findings f)
        where T : IMessage<T>, new()
    {
        var bag = new DiagnosticBag();
        var message = new MessageReader("", bag).Read<T>(DocumentReader.ReadSingle(WithoutNullItems(json), "", bag));
        foreach (var diagnostic in bag)
        {
            Tell(f, diagnostic);
        }

        return message;
    }

    private static T? Maybe<T>(JsonElement row, string name, Findings f)
        where T : class, IMessage<T>, new() =>
        row.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? Read<T>(value.GetRawText(), f) : null;

    /// <summary>The table has a body's bytes as they are; JSON has them in base64.</summary>
    private static string AsBase64(string input)
    {
        var root = JsonNode.Parse(input)!;
        if (root["body"]?["bytes"] is { } bytes)
        {
            root["body"]!["bytes"] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(bytes.GetValue<string>()));
        }

        return root.ToJsonString();
    }

    /// <summary>A null in a list stands for a pointer that Istio's own tests leave empty; no file can say it.</summary>
    private static string WithoutNullItems(string json)
    {
        var root = JsonNode.Parse(json);
        Clean(root);
        return root?.ToJsonString() ?? "null";

        static void Clean(JsonNode? node)
        {
            if (node is JsonArray array)
            {
                for (var i = array.Count - 1; i >= 0; i--)
                {
                    if (array[i] is null)
                    {
                        array.RemoveAt(i);
                    }
                }
            }

            foreach (var child in node switch { JsonArray a => a.ToArray(), JsonObject o => o.Select(p => p.Value).ToArray(), _ => [] })
            {
                Clean(child);
            }
        }
    }

    private static void Part<T>(string table, Action<Findings, T> check, Func<string, string>? wrap = null)
        where T : class, IMessage<T>, new() => Value(table, (f, input) =>
    {
        if (input.ValueKind != JsonValueKind.Null)
        {
            var json = input.GetRawText();
            var message = Read<T>(wrap is null ? json : wrap(json), f);
            check(f, message);
        }
    });

    private static void Value(string table, Action<Findings, JsonElement> check) => Vectors.Play($"api-validation/{table}.json", row =>
    {
        var f = new Findings();
        check(f, row.TryGetProperty("input", out var input) ? input : row);
        return Verdict(row, f);
    });

    private static string? Verdict(JsonElement row, Findings f)
    {
        var expect = row.GetProperty("expect");
        var found = string.Join("; ", f.Items.Select(i => $"{i.Level} {i.Path}: {i.Text}"));
        var wanted = expect.Truth("valid");
        if (wanted == f.HasErrors)
        {
            return $"expected {(wanted ? "valid" : "an error " + expect.Text("errorContains"))}, found {(found.Length > 0 ? found : "nothing")}";
        }

        if (row.Text("name").StartsWith("ISTIO_META_DNS_AUTO_ALLOCATE", StringComparison.Ordinal) && !row.GetRawText().Contains("proxyMetadata", StringComparison.Ordinal))
        {
            // The row lost the variable that its name speaks of.
            return null;
        }

        return expect.TryGetProperty("warning", out var warning) && (warning.ValueKind == JsonValueKind.True) != f.HasWarnings
            ? $"expected {(warning.ValueKind == JsonValueKind.True ? "a warning" : "no warning")}, found {(found.Length > 0 ? found : "nothing")}"
            : null;
    }
}
