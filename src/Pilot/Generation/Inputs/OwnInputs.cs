using System.Collections.Immutable;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Inputs;

/// <summary>
/// Everything that the inbound side of one sidecar, and what else is its own, is made of. Two that are equal make equal resources; parts of
/// the mesh count by reference, since a snapshot keeps the object of what did not change.
/// </summary>
internal sealed record OwnInputs
{
    public required ProxyNode Node { get; init; }

    public required MeshSettings Settings { get; init; }

    public required PolicyIndex Policies { get; init; }

    public required TelemetryIndex Telemetry { get; init; }

    public required ExtensionIndex Extensions { get; init; }

    public required Meant<Istio.Networking.V1Alpha3.Sidecar>? Sidecar { get; init; }

    public required Istio.Networking.V1Alpha3.OutboundTrafficPolicy? OutboundTrafficPolicy { get; init; }

    public required Workload? Workload { get; init; }

    public required Locality Locality { get; init; }

    public required string Network { get; init; }

    /// <summary>Services that the proxy serves.</summary>
    public required ImmutableArray<ServiceTarget> Targets { get; init; }

    /// <summary>DestinationRules for them: connection limits hold on the server's side, too.</summary>
    public required ImmutableArray<MergedDestinationRule> Rules { get; init; }

    /// <summary>All services, where something the proxy is told may name one of them (providers of logs, spans, decisions); null
    /// otherwise.</summary>
    public required ServiceIndex? Services { get; init; }

    /// <summary>What the listeners for HTTP that it shares with its like come to, without what names the instance.</summary>
    public string Shared { get; init; } = "";

    public static OwnInputs Of(ProxyScope scope)
    {
        var (snapshot, imports) = (scope.Snapshot, scope.Imports);
        return new OwnInputs
        {
            Node = scope.Node,
            Settings = snapshot.Settings,
            Policies = snapshot.Policies,
            Telemetry = snapshot.Telemetry,
            Extensions = snapshot.Extensions,
            Sidecar = imports.Sidecar,
            OutboundTrafficPolicy = imports.OutboundTrafficPolicy,
            Workload = scope.Workload,
            Locality = scope.Locality,
            Network = scope.Network,
            Targets = scope.AllTargets,
            Rules = [.. scope.AllTargets.Select(target => target.Service.Hostname).Distinct()
                .SelectMany(host => imports.DestinationRules.GetValueOrDefault(host, []))],
            Services = snapshot.Settings.Mesh.ExtensionProviders.Any(provider => ExtensionProviders.HostsOf(provider).Any())
                ? snapshot.Services : null,
        };
    }

    public bool Equals(OwnInputs? other) => other is not null
        && ReferenceEquals(Node, other.Node) && ReferenceEquals(Settings, other.Settings) && ReferenceEquals(Policies, other.Policies)
        && ReferenceEquals(Telemetry, other.Telemetry) && ReferenceEquals(Extensions, other.Extensions) && Equals(Sidecar, other.Sidecar)
        && Equals(OutboundTrafficPolicy, other.OutboundTrafficPolicy) && ReferenceEquals(Workload, other.Workload)
        && Locality == other.Locality && Network == other.Network
        && Targets.AsSpan().SequenceEqual(other.Targets.AsSpan()) && Rules.AsSpan().SequenceEqual(other.Rules.AsSpan())
        && ReferenceEquals(Services, other.Services) && Shared == other.Shared;

    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(Node);
}
