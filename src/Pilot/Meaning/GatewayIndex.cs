using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;

namespace Lateen.Pilot.Meaning;

/// <summary>Gateways, oldest first.</summary>
/// <param name="All">Every Gateway.</param>
public sealed record GatewayIndex(ImmutableArray<Meant<Gateway>> All);
