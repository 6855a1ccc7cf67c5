using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.ControlPlane.Metrics;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Push;
using Lateen.Pilot.Scope;

namespace Lateen.ControlPlane.Ads;

/// <summary>The open streams of a control loop, and how far each is. Driven by the loop alone.</summary>
public sealed class AdsStreams(PushHub hub, PilotMetrics metrics, TimeProvider stopwatch, Action<string> say)
{
    private readonly Dictionary<AdsSession, AdsStream> _streams = [];
    private long _opened;
    private int _told;
    private DateTimeOffset _changedAt;
    private DateTimeOffset? _warmAt;
    private DateTimeOffset? _agedAt;

    /// <summary>Open streams, oldest first.</summary>
    public IEnumerable<AdsStream> Open => _streams.Values;

    /// <summary>Number of open streams.</summary>
    public int Count => _streams.Count;

    /// <summary>The revision that <see cref="PushHub.Snapshot"/> was compiled from.</summary>
    public long Revision { get; private set; }

    /// <summary>The store's generation that it was compiled from.</summary>
    public long Generation { get; private set; }

    /// <summary>Proxies that went away lately.</summary>
    public Departures Left { get; } = new();

    /// <summary>Opens a stream.</summary>
    /// <param name="peer">address:port of the other side.</param>
    /// <param name="wake">Called when <see cref="Next"/> may have something; must only set a signal.</param>
    /// <param name="now">The time.</param>
    /// <param name="identities">Names that the other side has proved; null where nothing was asked of it.</param>
    public AdsStream Connect(string peer, Action wake, DateTimeOffset now, IReadOnlyList<string>? identities = null)
    {
        AdsSession session = hub.Connect($"stream-{++_opened}", now, identities);
        var stream = new AdsStream(session, peer, _opened, wake);
        // A tenth more or less, so that what connected at once does not come back at once: multiples of the golden ratio lie evenly between
        // 0 and 1.
        if (AgeMax is { } age) stream.EndsAt = now + (age * (0.9 + (0.2 * (_opened * 0.6180339887498949 % 1))));
        if (_agedAt is null || stream.EndsAt < _agedAt) _agedAt = stream.EndsAt;
        _streams.Add(session, stream);
        if (IsDraining) stream.End();
        return stream;
    }

    /// <summary>How old a stream may become; null for any age. Clients of an old replica would never find a new one otherwise.</summary>
    public TimeSpan? AgeMax { get; init; }

    /// <summary>This replica goes away: who comes now is sent on at once.</summary>
    public bool IsDraining { get; set; }

    /// <summary>Ends the oldest stream that is not ending yet, so that its client goes to another replica; false when there is
    /// none.</summary>
    public bool EndOldest()
    {
        if (_streams.Values.FirstOrDefault(stream => !stream.IsOver) is not { } oldest) return false;
        oldest.End();
        return true;
    }

    /// <summary>The stream ended.</summary>
    /// <param name="stream">Which.</param>
    /// <param name="now">The time.</param>
    public void Disconnect(AdsStream stream, DateTimeOffset now)
    {
        hub.Disconnect(stream.Session);
        if (stream.IsProxy) Left.Note(stream.Session.Node!.WorkloadId, now);
        if (stream.Session.Node is not null) say($"info\tads\t{stream.ConnectionId} disconnected");
        _streams.Remove(stream.Session);
    }

    /// <summary>Takes in a request.</summary>
    /// <returns>Why the stream must be closed, or null.</returns>
    public string? Receive(AdsStream stream, IMessage request, DateTimeOffset now) =>
        Receive(stream, request, request is DeltaDiscoveryRequest delta ? HeldVersions.Of(delta) : default, request.CalculateSize(), now);

    /// <summary>Takes in a request.</summary>
    /// <param name="stream">Of which stream.</param>
    /// <param name="request">The request.</param>
    /// <param name="held">What the proxy has from an earlier stream, in place of what the request says of it.</param>
    /// <param name="size">Length of the request in bytes.</param>
    /// <param name="now">The time.</param>
    /// <returns>Why the stream must be closed, or null.</returns>
    public string? Receive(AdsStream stream, IMessage request, HeldVersions held, int size, DateTimeOffset now)
    {
        string typeUrl = request is DeltaDiscoveryRequest delta ? delta.TypeUrl : ((DiscoveryRequest)request).TypeUrl;
        metrics.Received(size);
        bool unknown = stream.Session.Node is null;
        AdsReply reply = stream.Receive(request, held, now);
        if (unknown && stream.Session.Node is not null) Introduced(stream);
        if (reply == AdsReply.Refusal)
        {
            metrics.Rejected(typeUrl);
            say($"warn\tads\t{stream.ConnectionId} refused {ShortName(typeUrl)}: {stream.Types[typeUrl].Error}");
        }
        if (reply == AdsReply.Expired) metrics.NonceExpired(typeUrl);
        if (Question.Of(request) is { } question && stream.Session.Rejection is null) Answer(stream, question, now);
        if (stream.Session.HasWork || stream.IsAsking) stream.Wake();
        Settle(stream, now);
        if (stream.Session.Rejection is { } rejection) say($"warn\tads\t{stream.ConnectionId} rejected: {rejection}");
        return stream.Session.Rejection;
    }

    /// <summary>Answers what is asked about the mesh itself (`istio.io/debug`); nobody does when null.</summary>
    public Func<AdsStream, Question, DateTimeOffset, QuestionAnswer>? Inside { get; init; }

    /// <summary>The next response of a stream, made now from the newest snapshot; null when the proxy has all there is.</summary>
    public AdsResponse? Next(AdsStream stream, DateTimeOffset now)
    {
        long started = stopwatch.GetTimestamp();
        AdsResponse? response = stream.Next(now);
        TellHeldOut();
        if (response is null) Settle(stream, now);
        else metrics.Pushed(response.TypeUrl, response.Size, stopwatch.GetElapsedTime(started));
        if (stream.Session.Unasked.Any()) _warmAt ??= now + hub.Options.WarmingMax;
        return response;
    }

    /// <summary>A new snapshot: wakes the streams that may have something to send.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="generation">Generation of the store it was compiled from.</param>
    /// <param name="revision">Newest revision in it.</param>
    /// <param name="since">When the first change in it was made.</param>
    /// <param name="now">The time.</param>
    public void Publish(MeshSnapshot snapshot, long generation, long revision, DateTimeOffset since, DateTimeOffset now)
    {
        (Generation, Revision, _changedAt) = (generation, revision, since);
        _told = 0;
        _warmAt ??= now + hub.Options.WarmingMax;
        foreach (AdsSession session in hub.Publish(snapshot)) _streams[session].Wake();
        foreach (AdsStream stream in _streams.Values) Settle(stream, now);
    }

    /// <summary>When <see cref="EndWarming"/> or <see cref="EndAged"/> have something to do; null for never.</summary>
    public DateTimeOffset? DueAt
    {
        get
        {
            if (_streams.Count == 0) return null;
            return _warmAt is null || _agedAt < _warmAt ? _agedAt : _warmAt;
        }
    }

    /// <summary>Streams that are old enough end.</summary>
    public void EndAged(DateTimeOffset now)
    {
        if (_agedAt is null || now < _agedAt) return;
        foreach (AdsStream stream in _streams.Values.Where(stream => stream.EndsAt <= now && !stream.IsOver)) stream.End();
        _agedAt = _streams.Values.Where(stream => !stream.IsOver).Min(stream => stream.EndsAt);
    }

    /// <summary>What still waits for endpoints or routes that a proxy never asked for waits no longer.</summary>
    public void EndWarming(DateTimeOffset now)
    {
        if (_warmAt is null || now < _warmAt) return;
        _warmAt = null;
        foreach (AdsStream stream in _streams.Values)
        {
            stream.Session.EndWarming();
            if (stream.Session.HasWork) stream.Wake();
            Settle(stream, now);
        }
    }

    /// <summary>How far a type of a stream is, in istioctl's words.</summary>
    public static string StateOf(AdsStream stream, string typeUrl)
    {
        if (!stream.Types.TryGetValue(typeUrl, out TypeTrack? track)) return "IGNORED";
        if (track.SentNonce.Length == 0) return "NOT SENT";
        if (track.Error is not null) return "ERROR";
        return track.AckedNonce == track.SentNonce ? "SYNCED" : "STALE";
    }

    /// <summary>The short name of a type as the tables have it (CDS, LDS ...).</summary>
    public static string ShortName(string typeUrl) => typeUrl switch
    {
        TypeUrls.Cluster => "CDS",
        TypeUrls.Endpoint => "EDS",
        TypeUrls.Listener => "LDS",
        TypeUrls.Route => "RDS",
        TypeUrls.VirtualHost => "VHDS",
        TypeUrls.Secret => "SDS",
        TypeUrls.ExtensionConfig => "ECDS",
        TypeUrls.NameTable => "NDS",
        TypeUrls.ProxyConfig => "PCDS",
        TypeUrls.Address => "WDS",
        TypeUrls.Workload => "WDS",
        TypeUrls.Authorization => "WADS",
        _ => typeUrl[(typeUrl.LastIndexOf('.') + 1)..],
    };

    private void Introduced(AdsStream stream)
    {
        say($"info\tads\t{stream.ConnectionId} connected from {stream.Peer}");
        if (stream.Session.Scope is { Node.Type: ProxyType.Sidecar, Targets.IsEmpty: true } scope)
            metrics.Untargeted(scope.Workload is not null);
    }

    private void Answer(AdsStream stream, Question question, DateTimeOffset now)
    {
        if (Inside is null) return;
        QuestionAnswer answer = Inside(stream, question, now);
        if (answer.Response is not { } response) stream.Session.Reject(answer.Status, answer.Refusal);
        else if (!stream.Tell(response)) stream.Session.Reject(GrpcStatus.ResourceExhausted, "answers wait to be read");
    }

    private void TellHeldOut()
    {
        if (hub.HeldOut.Count <= _told) return;
        foreach (HeldOutResource held in hub.HeldOut.Skip(_told))
        {
            string what = held.Filter is { } filter
                ? $"EnvoyFilter {filter.FullName} is left out of {ShortName(held.TypeUrl)}, since every proxy would refuse {held.Name} "
                    + $"with it" : $"{ShortName(held.TypeUrl)} {held.Name} is not sent, since every proxy would refuse it";
            say($"error\tads\t{what}: {held.Fault}");
        }
        _told = hub.HeldOut.Count;
    }

    private void Settle(AdsStream stream, DateTimeOffset now)
    {
        if (!stream.Session.InSync || !ReferenceEquals(stream.Session.Scope?.Snapshot, hub.Snapshot)) return;
        if (stream.SettledGeneration > 0 && stream.SettledGeneration < Generation) metrics.Converged(now - _changedAt);
        (stream.SettledGeneration, stream.SettledRevision) = (Generation, Revision);
        if (!stream.HasRefused) stream.AcceptedRevision = Revision;
    }
}
