using Google.Protobuf.Collections;
using Istio.Mesh.V1Alpha1;
using Istio.Telemetry.V1Alpha1;
using CustomTag = Istio.Telemetry.V1Alpha1.Tracing.Types.CustomTag;
using Provider = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider;
using Tracing = Istio.Telemetry.V1Alpha1.Tracing;

namespace Lateen.Pilot.Generation.Telemetry;

/// <summary>Tracing of one side.</summary>
public sealed record TracingSide
{
    /// <summary>Where spans go; null when there is none.</summary>
    public Provider? Provider { get; init; }

    /// <summary>No spans.</summary>
    public bool IsDisabled { get; init; }

    /// <summary>Share of traced requests, per cent; null for the proxy's setting.</summary>
    public double? Sampling { get; init; }

    /// <summary>Further tags; null for the proxy's setting.</summary>
    public MapField<string, CustomTag>? CustomTags { get; init; }

    /// <summary>Take the decision from the request id.</summary>
    public bool UsesRequestId { get; init; } = true;

    /// <summary>Add the tags about the mesh.</summary>
    public bool HasIstioTags { get; init; } = true;

    /// <summary>Don't hand the trace on.</summary>
    public bool StopsPropagation { get; init; }
}

/// <summary>Adds up the tracing sections of the levels.</summary>
/// <param name="Client">Outbound and gateways.</param>
/// <param name="Server">Inbound.</param>
public sealed record TracingSelection(TracingSide Client, TracingSide Server)
{
    /// <summary>The tracing in force; null when neither Telemetry nor a default provider says anything and the older settings
    /// count.</summary>
    public static TracingSelection? Of(IEnumerable<Tracing> entries, MeshConfig mesh)
    {
        ArgumentNullException.ThrowIfNull(entries);
        ArgumentNullException.ThrowIfNull(mesh);
        var sections = entries.ToList();
        var defaults = mesh.DefaultProviders?.Tracing;
        if (sections.Count == 0 && defaults is not { Count: > 0 }) return null;
        // Several default providers may be named; only the first is used.
        var first = new TracingSide { Provider = defaults is { Count: > 0 } ? Providers.Find(mesh, defaults[0]) : null };
        var (client, server) = (first, first);
        foreach (var section in sections)
        {
            var mode = section.Match?.Mode ?? WorkloadMode.ClientAndServer;
            if (mode != WorkloadMode.Server) client = Apply(client, section, mesh);
            if (mode != WorkloadMode.Client) server = Apply(server, section, mesh);
        }
        return new TracingSelection(Closed(client), Closed(server));
    }

    private static TracingSide Apply(TracingSide side, Tracing section, MeshConfig mesh) => side with
    {
        Provider = section.Providers.Count > 0 ? Providers.Find(mesh, section.Providers[0].Name) : side.Provider,
        IsDisabled = section.DisableSpanReporting ?? side.IsDisabled,
        CustomTags = section.CustomTags.Count > 0 ? section.CustomTags : side.CustomTags,
        Sampling = section.RandomSamplingPercentage ?? side.Sampling,
        UsesRequestId = section.UseRequestIdForTraceSampling ?? side.UsesRequestId,
        HasIstioTags = section.EnableIstioTags ?? side.HasIstioTags,
        StopsPropagation = section.DisableContextPropagation ?? side.StopsPropagation,
    };

    private static TracingSide Closed(TracingSide side) => side.Provider is null ? side with { IsDisabled = true } : side;
}
