using System.Collections.Immutable;

namespace Lateen.Pilot.Push;

/// <summary>A resource version that the proxy refused.</summary>
/// <param name="Name">Resource name.</param>
/// <param name="Version">Version that was refused.</param>
/// <param name="Error">What the proxy said.</param>
public sealed record NackedResource(string Name, string Version, string Error);

/// <summary>Where one proxy stands with one type.</summary>
/// <param name="TypeUrl">Type.</param>
/// <param name="SentRevision">Revision of the last response.</param>
/// <param name="AckedRevision">Revision of the last response that was accepted.</param>
/// <param name="AwaitsAck">A response is not answered yet.</param>
/// <param name="Resources">Number of resources the proxy holds.</param>
/// <param name="Nacked">Resources it refused and that did not change since.</param>
public sealed record TypeStatus(string TypeUrl, string SentRevision, string AckedRevision, bool AwaitsAck, int Resources,
    ImmutableArray<NackedResource> Nacked);

/// <summary>Where one proxy stands.</summary>
/// <param name="SessionId">Stream.</param>
/// <param name="NodeId">xDS node id.</param>
/// <param name="ConnectedAt">When the stream was opened.</param>
/// <param name="Revision">Revision it is offered now.</param>
/// <param name="InSync">Everything of <paramref name="Revision"/> was sent and answered (accepted or refused).</param>
/// <param name="Types">By type, in push order.</param>
public sealed record ProxyStatus(string SessionId, string NodeId, DateTimeOffset ConnectedAt, string Revision, bool InSync,
    ImmutableArray<TypeStatus> Types);
