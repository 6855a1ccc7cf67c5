using Envoy.Type.Metadata.V3;
using Envoy.Type.Tracing.V3;
using Envoy.Type.V3;
using Istio.Mesh.V1Alpha1;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Tracing = Istio.Mesh.V1Alpha1.Tracing;
using HcmTracing = Envoy.Extensions.Filters.Network.HttpConnectionManager.V3.HttpConnectionManager.Types.Tracing;

namespace Lateen.Pilot.Generation.Telemetry;

/// <summary>Tracing settings of connection managers.</summary>
/// <param name="Settings">For the connection manager; null without tracing.</param>
/// <param name="UsesRequestId">The sampling decision is taken from the request id.</param>
public sealed record TraceSettings(HcmTracing? Settings, bool UsesRequestId)
{
    private const string RbacFilter = "envoy.filters.http.rbac";
    private const double NewestDefaultSampling = 1;

    /// <summary>Tracing of one way of traffic through a proxy.</summary>
    public static TraceSettings Of(ProxyInputs inputs, TracingSelection? selection, ListenerClass listenerClass)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        if (selection is null) return new TraceSettings(inputs.Mesh.EnableTracing ? FromProxyConfig(inputs) : null, true);
        var side = listenerClass == ListenerClass.SidecarInbound ? selection.Server : selection.Client;
        if (side.IsDisabled) return new TraceSettings(null, true);
        var settings = new HcmTracing();
        var samples = false;
        if (side.Provider is { } provider)
        {
            var built = TraceProviders.Of(provider, inputs.Scope.Snapshot.Registry, inputs.Node, inputs.Node.IsAtLeast(1, 29));
            if (built is null) return new TraceSettings(null, true);
            settings.Provider = built.Tracer;
            if (built.MaxTagLength != 0) settings.MaxPathTagLength = built.MaxTagLength;
            var gatewaySpan = inputs.Node.Type == ProxyType.Router && inputs.Features.Flag("PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY", true);
            if (built.HasUpstreamSpan || gatewaySpan) settings.SpawnUpstreamSpan = true;
            samples = built.HasSampler;
        }
        ApplySampling(settings, samples ? 100 : side.Sampling ?? ConfiguredSampling(inputs));
        settings.CustomTags.Add(Tags(inputs, side));
        ApplyTagLength(settings, inputs.Config);
        if (side.StopsPropagation && inputs.Node.IsAtLeast(1, 30)) settings.NoContextPropagation = true;
        return new TraceSettings(settings, side.UsesRequestId);
    }

    private static HcmTracing FromProxyConfig(ProxyInputs inputs)
    {
        var settings = new HcmTracing();
        ApplySampling(settings, ConfiguredSampling(inputs));
        settings.CustomTags.Add(Tags(inputs, null));
        ApplyTagLength(settings, inputs.Config);
        return settings;
    }

    private static void ApplySampling(HcmTracing settings, double percent)
    {
        settings.ClientSampling = new Percent { Value = 100 };
        settings.OverallSampling = new Percent { Value = 100 };
        settings.RandomSampling = new Percent { Value = percent };
    }

    private static void ApplyTagLength(HcmTracing settings, ProxyConfig config)
    {
        if (settings.MaxPathTagLength is null && config.Tracing is { MaxPathTagLength: > 0 } tracing)
            settings.MaxPathTagLength = tracing.MaxPathTagLength;
    }

    private static double ConfiguredSampling(ProxyInputs inputs)
    {
        if (inputs.Config.Tracing is { Sampling: not 0 } tracing) return tracing.Sampling > 100 ? 1 : tracing.Sampling;
        var text = inputs.Features.Text("PILOT_TRACE_SAMPLING", "");
        return double.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var sampling) && sampling is >= 0 and <= 100
            ? sampling : NewestDefaultSampling;
    }

    // ---- tags, sorted by name

    private static IEnumerable<CustomTag> Tags(ProxyInputs inputs, TracingSide? side)
    {
        var tags = new List<CustomTag>();
        if (side?.HasIstioTags ?? inputs.Config.Tracing?.EnableIstioTags ?? true)
        {
            tags.AddRange(MeshTags(inputs));
            tags.AddRange(DryRunTags());
        }
        if (inputs.Node.Type == ProxyType.Waypoint)
            tags.AddRange(PeerTags("source", "downstream_peer_obj").Concat(PeerTags("destination", "upstream_peer_obj")));
        tags.AddRange(side?.CustomTags is { Count: > 0 } own
            ? own.Select(t => Tag(t.Key, t.Value, inputs.Node)).OfType<CustomTag>() : ConfigTags(inputs.Config));
        return tags.OrderBy(static t => t.Tag, StringComparer.Ordinal);
    }

    private static IEnumerable<CustomTag> MeshTags(ProxyInputs inputs)
    {
        var node = inputs.Node;
        yield return Literal("istio.canonical_revision", node.Labels.GetValueOrDefault("service.istio.io/canonical-revision", "latest"));
        yield return Literal("istio.canonical_service", node.Labels.GetValueOrDefault("service.istio.io/canonical-name", "unknown"));
        yield return Literal("istio.mesh_id", Or(node.Metadata.MeshId, "unknown"));
        yield return Literal("istio.namespace", Or(node.Metadata.Namespace, "default"));
        yield return Literal("istio.cluster_id", Or(node.Metadata.ClusterId, "unknown"));
    }

    private static string Or(string text, string otherwise) => text.Length > 0 ? text : otherwise;

    // What a policy in dry run would have done; without such a policy the tags have no value and stay away.
    private static IEnumerable<CustomTag> DryRunTags()
    {
        foreach (var effect in new[] { "allow", "deny" })
        {
            yield return Metadata($"istio.authorization.dry_run.{effect}_policy.name",
                $"istio_dry_run_{effect}_shadow_effective_policy_id");
            yield return Metadata($"istio.authorization.dry_run.{effect}_policy.result", $"istio_dry_run_{effect}_shadow_engine_result");
        }
    }

    private static IEnumerable<CustomTag> PeerTags(string side, string state)
    {
        (string Tag, string Field)[] fields =
        [
            ("workload", "workload"), ("namespace", "namespace"), ("cluster_id", "cluster"), ("canonical_service", "service"),
            ("canonical_revision", "revision"),
            ("app", "app"), ("app_version", "version"), ("workload_type", "type"), ("instance_name", "name"),
        ];
        return fields.Select(f => new CustomTag { Tag = $"istio.{side}_{f.Tag}", Value = $"%FILTER_STATE({state}:FIELD:{f.Field})%" });
    }

    private static IEnumerable<CustomTag> ConfigTags(ProxyConfig config)
    {
        foreach (var (name, tag) in config.Tracing?.CustomTags ?? [])
        {
            var built = tag?.TypeCase switch
            {
                Tracing.Types.CustomTag.TypeOneofCase.Literal => Literal(name, tag.Literal.Value),
                Tracing.Types.CustomTag.TypeOneofCase.Environment => Environment(name, tag.Environment.Name, tag.Environment.DefaultValue),
                Tracing.Types.CustomTag.TypeOneofCase.Header => Header(name, tag.Header.Name, tag.Header.DefaultValue),
                _ => null,
            };
            if (built is not null) yield return built;
        }
    }

    private static CustomTag? Tag(string name, Istio.Telemetry.V1Alpha1.Tracing.Types.CustomTag? tag, ProxyNode node) =>
        tag?.TypeCase switch
        {
            Istio.Telemetry.V1Alpha1.Tracing.Types.CustomTag.TypeOneofCase.Literal => Literal(name, tag.Literal.Value),
            Istio.Telemetry.V1Alpha1.Tracing.Types.CustomTag.TypeOneofCase.Environment =>
                Environment(name, tag.Environment.Name, tag.Environment.DefaultValue),
            Istio.Telemetry.V1Alpha1.Tracing.Types.CustomTag.TypeOneofCase.Header => Header(name, tag.Header.Name, tag.Header.DefaultValue),
            // Older proxies refuse tags with a format.
            Istio.Telemetry.V1Alpha1.Tracing.Types.CustomTag.TypeOneofCase.Formatter => node.IsAtLeast(1, 29)
                ? new CustomTag { Tag = name, Value = tag.Formatter.Value } : null,
            null => null,
            _ => new CustomTag { Tag = name },
        };

    private static CustomTag Literal(string tag, string value) =>
        new() { Tag = tag, Literal = new CustomTag.Types.Literal { Value = value } };

    private static CustomTag Environment(string tag, string name, string otherwise) =>
        new() { Tag = tag, Environment = new CustomTag.Types.Environment { Name = name, DefaultValue = otherwise } };

    private static CustomTag Header(string tag, string name, string otherwise) =>
        new() { Tag = tag, RequestHeader = new CustomTag.Types.Header { Name = name, DefaultValue = otherwise } };

    private static CustomTag Metadata(string tag, string key)
    {
        var path = new MetadataKey { Key = RbacFilter };
        path.Path.Add(new MetadataKey.Types.PathSegment { Key = key });
        return new CustomTag
        {
            Tag = tag,
            Metadata = new CustomTag.Types.Metadata
            {
                Kind = new MetadataKind { Request = new MetadataKind.Types.Request() },
                MetadataKey = path,
            },
        };
    }
}
