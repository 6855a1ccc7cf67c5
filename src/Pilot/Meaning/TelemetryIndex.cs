using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Telemetry.V1Alpha1;

namespace Lateen.Pilot.Meaning;

/// <summary>Telemetry resources by namespace, oldest first in each.</summary>
/// <param name="ByNamespace">Of every namespace.</param>
public sealed record TelemetryIndex(FrozenDictionary<string, ImmutableArray<Meant<Telemetry>>> ByNamespace);
