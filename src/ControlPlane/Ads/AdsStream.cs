using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Push;

namespace Lateen.ControlPlane.Ads;

/// <summary>What was last sent of one type on one stream, and what was said about it.</summary>
public sealed class TypeTrack
{
    /// <summary>Nonce of the last response; empty before the first.</summary>
    public string SentNonce { get; internal set; } = "";

    /// <summary>Nonce of the last response that was accepted.</summary>
    public string AckedNonce { get; internal set; } = "";

    /// <summary>When the last response was taken by the stream.</summary>
    public DateTimeOffset SentAt { get; internal set; }

    /// <summary>When the last acceptance came.</summary>
    public DateTimeOffset AckedAt { get; internal set; }

    /// <summary>Version of the last response; empty before the first.</summary>
    public string SentVersion { get; internal set; } = "";

    /// <summary>Version of the last response that was accepted.</summary>
    public string AckedVersion { get; internal set; } = "";

    /// <summary>What the proxy said when it refused something that has not changed since; null where it refused nothing.</summary>
    public string? Error { get; internal set; }

    /// <summary>When it refused that.</summary>
    public DateTimeOffset RefusedAt { get; internal set; }
}

/// <summary>One open discovery stream: its session, its times and nonces for those who watch, and how to wake its writer.</summary>
public sealed class AdsStream(AdsSession session, string peer, long number, Action wake)
{
    private const int WatchedMax = 32, ToldMax = 16;
    private readonly Dictionary<string, TypeTrack> _types = [];
    private readonly Queue<AdsResponse> _told = [];
    private volatile bool _isOver;

    /// <summary>The state machine.</summary>
    public AdsSession Session { get; } = session;

    /// <summary>address:port of the other side.</summary>
    public string Peer { get; } = peer;

    /// <summary>Name of the stream as istiod writes it: workload.namespace-number.</summary>
    public string ConnectionId => $"{Session.Node?.WorkloadId ?? "unknown"}-{number}";

    /// <summary>By type URL.</summary>
    public IReadOnlyDictionary<string, TypeTrack> Types => _types;

    /// <summary>The newest revision of which everything was sent and answered; 0 before.</summary>
    public long SettledRevision { get; internal set; }

    /// <summary>The newest revision that it took without refusing anything; 0 before.</summary>
    public long AcceptedRevision { get; internal set; }

    /// <summary>The store's generation of <see cref="SettledRevision"/>; unlike revisions it counts pods and endpoints, too.</summary>
    public long SettledGeneration { get; internal set; }

    /// <summary>False before the other side has introduced itself, for the stream on which an agent asks for names alone, under its proxy's
    /// name, and for those who only ask about others.</summary>
    public bool IsProxy => Session.Node is not null
        && (_types.Count == 0 ? !IsAsking : _types.Keys.Any(type => type != TypeUrls.NameTable));

    /// <summary>It has asked for a debug page.</summary>
    public bool IsAsking { get; private set; }

    /// <summary>Some type was refused and has not changed since.</summary>
    public bool HasRefused => _types.Values.Any(type => type.Error is not null);

    /// <summary>It is to end as soon as its writer sees it. Read by the writer's thread.</summary>
    public bool IsOver => _isOver;

    /// <summary>When it is to end so that its client chooses a replica anew; null for never.</summary>
    public DateTimeOffset? EndsAt { get; internal set; }

    internal void Wake() => wake();

    internal void End()
    {
        _isOver = true;
        wake();
    }

    internal AdsReply Receive(IMessage request, HeldVersions held, DateTimeOffset now) => request switch
    {
        DeltaDiscoveryRequest delta => Receive(delta, held, now),
        DiscoveryRequest whole => Receive(whole, now),
        _ => throw new ArgumentException("not a discovery request", nameof(request)),
    };

    /// <summary>Sends something beside its configuration; false when too much waits already.</summary>
    internal bool Tell(AdsResponse response)
    {
        IsAsking = true;
        if (_told.Count == ToldMax) return false;
        _told.Enqueue(response);
        return true;
    }

    /// <summary>Whether <see cref="Next"/> may have something now; what is sent when the proxy has answered wakes the stream.</summary>
    internal bool HasMore => _told.Count > 0 || Session.HasWork;

    internal AdsResponse? Next(DateTimeOffset now)
    {
        if (_told.TryDequeue(out AdsResponse? told)) return told;
        if (!Session.TryTake(out AdsResponse? response)) return null;
        TypeTrack track = Track(response.TypeUrl);
        (track.SentNonce, track.SentVersion, track.SentAt) = (response.Nonce, Session.Scope?.Snapshot.Revision ?? "", now);
        return response;
    }

    private AdsReply Receive(DeltaDiscoveryRequest request, HeldVersions held, DateTimeOffset now)
    {
        AdsReply reply = Answered(request.TypeUrl, request.ResponseNonce, request.ErrorDetail?.Message, now);
        Session.Receive(request, held, now);
        Remember(reply, request.TypeUrl);
        if (request.ResourceNamesSubscribe.Count > 0) Track(request.TypeUrl);
        return reply;
    }

    private AdsReply Receive(DiscoveryRequest request, DateTimeOffset now)
    {
        AdsReply reply = Answered(request.TypeUrl, request.ResponseNonce, request.ErrorDetail?.Message, now);
        Session.Receive(request, now);
        Remember(reply, request.TypeUrl);
        if (request.ResourceNames.Count > 0) Track(request.TypeUrl);
        return reply;
    }

    private AdsReply Answered(string typeUrl, string nonce, string? error, DateTimeOffset now)
    {
        if (nonce.Length == 0) return AdsReply.Request;
        TypeTrack track = Track(typeUrl);
        if (nonce != track.SentNonce) return AdsReply.Expired;
        track.Error = error;
        if (error is not null)
        {
            track.RefusedAt = now;
            return AdsReply.Refusal;
        }
        (track.AckedNonce, track.AckedVersion, track.AckedAt) = (nonce, track.SentVersion, now);
        return AdsReply.Acceptance;
    }

    // Who takes one thing and refused another still runs the other's former version.
    private void Remember(AdsReply reply, string typeUrl)
    {
        if (reply == AdsReply.Acceptance) Track(typeUrl).Error = Session.RefusalOf(typeUrl);
    }

    private TypeTrack Track(string typeUrl)
    {
        if (_types.TryGetValue(typeUrl, out TypeTrack? track)) return track;
        // A stream may name any number of types; those that nobody generates are not remembered.
        track = new TypeTrack();
        if (_types.Count < WatchedMax) _types.Add(typeUrl, track);
        return track;
    }

}

/// <summary>What a request said about an earlier response.</summary>
public enum AdsReply
{
    /// <summary>Nothing: it asks.</summary>
    Request,

    /// <summary>The last response was taken (ACK).</summary>
    Acceptance,

    /// <summary>The last response was refused (NACK).</summary>
    Refusal,

    /// <summary>It answers a response that is not the last one.</summary>
    Expired,
}
