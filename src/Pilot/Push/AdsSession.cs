// Push: who is connected, what each has, what each still needs. One stream is one `AdsSession`, a synchronous state machine:
// requests go in, responses are taken out when the stream can carry one. Between the two nothing is queued: a response is
// made at the moment it is taken, from the newest scope, so a slow client costs a map of versions and merges everything
// that happened meanwhile into its next response.
//
// State: a session owns what it sent and what was answered; `PushHub` owns the sessions and the newest snapshot. One loop
// drives both; there are no locks because there are no threads here, and no clock because `now` is an argument.
//
// It never opens a socket, never looks into resources, and never repeats what was refused until it changed.
//
// Make before break (xDS protocol, "Eventual consistency considerations"): listeners and routes that change wait until new clusters have
// their endpoints, and clusters that are no longer there are taken away only when the routes that named them are. Nobody who asks for
// something waits, but for who was here before: what it has serves meanwhile.
//
// Refused: a queue of rendered responses for each stream (unbounded, or stale when bounded); versions that are counters (equal bytes
// would be pushed again after every change elsewhere, and after every reconnect).
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Envoy.Service.Discovery.V3;
using Lateen.Api.Grpc;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Push;

/// <summary>One ADS stream, incremental or state-of-the-world; which one it is shows in the first request.</summary>
public sealed class AdsSession
{
    private readonly PushHub _hub;
    private readonly Dictionary<string, WatchedType> _watches = [];
    private readonly List<WatchedType> _inOrder = [];
    private readonly HashSet<string> _unwarmed = [];
    private readonly HashSet<string> _unrouted = [];
    private readonly IReadOnlyList<string>? _identities;
    private bool _incremental;
    private long _responses;

    internal AdsSession(PushHub hub, string id, DateTimeOffset now, IReadOnlyList<string>? identities)
    {
        _hub = hub;
        _identities = hub.Options.ChecksIdentity ? identities : null;
        Id = id;
        ConnectedAt = now;
    }

    /// <summary>Name of the stream.</summary>
    public string Id { get; }

    /// <summary>When it was opened.</summary>
    public DateTimeOffset ConnectedAt { get; }

    /// <summary>The proxy; null until its first request.</summary>
    public ProxyNode? Node { get; private set; }

    /// <summary>What the proxy may see now; null until its first request.</summary>
    public ProxyScope? Scope { get; internal set; }

    /// <summary>Why the stream must be closed; null while all is well.</summary>
    public string? Rejection { get; private set; }

    /// <summary>The gRPC status that goes with <see cref="Rejection"/>.</summary>
    public GrpcStatus RejectionStatus { get; private set; } = GrpcStatus.InvalidArgument;

    /// <summary>The stream must be closed: somebody beside the protocol says why.</summary>
    public void Reject(GrpcStatus status, string why) => (Rejection, RejectionStatus) = (why, status);

    /// <summary>Whether <see cref="TryTake"/> may have something. It may turn out to be nothing new.</summary>
    public bool HasWork => Rejection is null && Scope is not null && _inOrder.Exists(IsTakeable);

    /// <summary>Whether <see cref="TryTake"/> has something. Types about which the new scope says nothing new are done with.</summary>
    internal bool HasNews()
    {
        if (Rejection is not null || Scope is null) return false;
        foreach (var watch in _inOrder)
        {
            if (watch.OwesAnswer || watch.WithholdsRemovals || !IsTakeable(watch) || Now(watch, Scope) is not { } now
                || !watch.ChangeTo(now).IsNone) continue;
            watch.Settle(now, Scope);
            watch.IsDirty = false;
        }
        return HasWork;
    }

    /// <summary>Takes in an incremental request.</summary>
    public void Receive(DeltaDiscoveryRequest request, DateTimeOffset now) => Receive(request, HeldVersions.Of(request), now);

    /// <summary>Takes in an incremental request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="held">What the proxy has from an earlier stream, in place of what the request says of it.</param>
    /// <param name="now">The time.</param>
    public void Receive(DeltaDiscoveryRequest request, HeldVersions held, DateTimeOffset now)
    {
        _incremental = true;
        if (!Introduce(request.Node, now) || Watch(request.TypeUrl, out var isNew) is not { } watch) return;
        if (isNew) Begin(watch, request, held);
        else Continue(watch, request);
        if (watch.Names.Count > _hub.Options.NamesMax) Rejection = $"more than {_hub.Options.NamesMax} names subscribed";
    }

    /// <summary>Takes in a state-of-the-world request.</summary>
    public void Receive(DiscoveryRequest request, DateTimeOffset now)
    {
        if (!Introduce(request.Node, now) || Watch(request.TypeUrl, out var isNew) is not { } watch) return;
        if (request.ResourceNames.Count > _hub.Options.NamesMax)
        {
            Rejection = $"more than {_hub.Options.NamesMax} names subscribed";
            return;
        }
        if (!isNew)
        {
            if (request.ResponseNonce.Length > 0) Answered(watch, request.ResponseNonce, request.ErrorDetail?.Message);
            // A nonce that is not the last one answers something older: the names that it has were overtaken.
            if (request.ResponseNonce.Length > 0 && request.ResponseNonce != watch.LastNonce) return;
        }
        var changed = watch.Replace(request.ResourceNames);
        if (isNew) (watch.IsWildcard, watch.IsResumed) = (request.ResourceNames.Count == 0, request.VersionInfo.Length > 0);
        if (!isNew && !changed && request.ResponseNonce.Length > 0) return;
        watch.IsDirty = true;
        watch.OwesAnswer = true;
    }

    /// <summary>Takes the next response, in the order clusters, endpoints, listeners, routes, the rest.</summary>
    /// <returns>False when the proxy has all there is, or has to answer first.</returns>
    public bool TryTake([NotNullWhen(true)] out AdsResponse? response)
    {
        response = null;
        if (Rejection is not null || Scope is null) return false;
        // Twice, because routes that turn out to be unchanged make way for the removal of clusters.
        for (var i = 0; i < 2 * _inOrder.Count; i++)
        {
            var watch = _inOrder[i % _inOrder.Count];
            if (IsTakeable(watch) && Render(watch, Scope) is { } made)
            {
                response = made;
                return true;
            }
        }
        return false;
    }

    /// <summary>Everything of the current scope was sent and answered, and what was sent waits for nothing: a new listener serves from the
    /// moment that it has its routes, a new cluster when it has its endpoints.</summary>
    public bool InSync => Scope is not null && _unwarmed.Count == 0 && _unrouted.Count == 0
        && _inOrder.TrueForAll(watch => !watch.IsDirty && !watch.AwaitsAck && !watch.WithholdsRemovals);

    /// <summary>Clusters and route configurations that were named to the proxy, and for which it has not asked yet.</summary>
    public IEnumerable<string> Unasked => _unwarmed.Concat(_unrouted);

    /// <summary>Versions by name of what the proxy was sent of a type and holds, as far as it told us otherwise.</summary>
    public IReadOnlyDictionary<string, string> Held(string typeUrl) =>
        _watches.TryGetValue(typeUrl, out var watch) ? watch.Held() : ImmutableDictionary<string, string>.Empty;

    /// <summary>Names that the proxy asks for; null where it asks for all there are.</summary>
    public IReadOnlySet<string>? Asked(string typeUrl) =>
        !_watches.TryGetValue(typeUrl, out var watch) ? _hub.NoNames : watch.IsWildcard ? null : watch.Names;

    /// <summary>What the proxy said when it refused something of a type that has not changed since; null where it refused
    /// nothing.</summary>
    public string? RefusalOf(string typeUrl) => _watches.TryGetValue(typeUrl, out var watch) ? watch.Refusal : null;

    /// <summary>Where the proxy stands.</summary>
    public ProxyStatus Status() => new(
        Id, Node?.Id ?? "", ConnectedAt, Scope?.Snapshot.Revision ?? "", InSync,
        [.. _inOrder.Select(watch =>
            new TypeStatus(watch.TypeUrl, watch.SentRevision, watch.AckedRevision, watch.AwaitsAck, watch.SentCount, [.. watch.Nacked]))]);

    /// <summary>A new scope: every type is looked at again in which it may have made a difference.</summary>
    internal void Offer(ProxyScope scope)
    {
        Scope = scope;
        foreach (var watch in _inOrder)
            watch.IsDirty = watch.OwesAnswer || !watch.IsStill(scope) || _hub.LooksAtEndpoints(watch.TypeUrl);
    }

    /// <summary>Nothing waits any longer for endpoints and routes that nobody asked for.</summary>
    public void EndWarming()
    {
        _unwarmed.Clear();
        _unrouted.Clear();
    }

    // A dirty type waits for the answer to what is under way, unless the proxy itself asked for more: then it is waiting for us.
    private bool IsTakeable(WatchedType watch) => watch.IsDirty
        ? (watch.OwesAnswer && !(watch.IsResumed && NamesClusters(watch)))
            || (!watch.AwaitsAck && (!NamesClusters(watch) || ClustersAreWarm))
        : watch.WithholdsRemovals && !watch.AwaitsAck && !NamesMayChange;

    private static bool NamesClusters(WatchedType watch) => watch.TypeUrl is TypeUrls.Listener or TypeUrls.Route or TypeUrls.VirtualHost;

    private bool ClustersAreWarm => _unwarmed.Count == 0 && !IsBusy(TypeUrls.Cluster) && !IsBusy(TypeUrls.Endpoint);

    // What the proxy serves now may still name clusters that the newest configuration does not have.
    private bool NamesMayChange => IsBusy(TypeUrls.Listener) || IsBusy(TypeUrls.Route) || IsBusy(TypeUrls.VirtualHost);

    private bool IsBusy(string typeUrl) => _watches.TryGetValue(typeUrl, out var watch) && (watch.IsDirty || watch.AwaitsAck);

    private bool Introduce(Envoy.Config.Core.V3.Node? node, DateTimeOffset now)
    {
        if (Rejection is not null) return false;
        if (Node is not null) return true;
        if (node is null || node.Id.Length == 0)
        {
            Rejection = "missing node information";
            return false;
        }
        var parsed = NodeParser.Parse(node);
        if (parsed.Node is null)
        {
            Rejection = parsed.Error;
            return false;
        }
        if (VerifiedNode.Of(parsed.Node, _identities) is not { } verified)
        {
            Rejection = VerifiedNode.Stranger(parsed.Node, _identities!);
            RejectionStatus = GrpcStatus.PermissionDenied;
            return false;
        }
        Node = _incremental ? verified : SplitRoutes.WithWholeTables(verified);
        _hub.Introduced(this, now);
        return true;
    }

    private WatchedType? Watch(string typeUrl, out bool isNew)
    {
        isNew = false;
        if (_watches.TryGetValue(typeUrl, out var known)) return known;
        // A type that nobody generates gets no answer: a proxy of another version may ask for what we never heard of.
        if (!_hub.Generates(typeUrl)) return null;
        if (_watches.Count >= _hub.Options.WatchedTypesMax)
        {
            Rejection = $"more than {_hub.Options.WatchedTypesMax} types watched";
            return null;
        }
        isNew = true;
        var watch = new WatchedType(typeUrl, _hub.NoNames);
        _watches.Add(typeUrl, watch);
        var at = _inOrder.FindIndex(other => TypeUrls.PushOrder(other.TypeUrl) > TypeUrls.PushOrder(typeUrl));
        _inOrder.Insert(at < 0 ? _inOrder.Count : at, watch);
        return watch;
    }

    private void Begin(WatchedType watch, DeltaDiscoveryRequest request, HeldVersions held)
    {
        // An empty first subscription, or "*", is the wildcard (xDS protocol, "How the client specifies what resources to return").
        watch.IsWildcard = request.ResourceNamesSubscribe.Count == 0 || request.ResourceNamesSubscribe.Contains("*");
        watch.Subscribe(request.ResourceNamesSubscribe);
        watch.IsDirty = true;
        watch.OwesAnswer = true;
        if (!held.IsEmpty) watch.Resume(held, Scope is null ? null : Now(watch, Scope));
    }

    private void Continue(WatchedType watch, DeltaDiscoveryRequest request)
    {
        if (request.ResponseNonce.Length > 0) Answered(watch, request.ResponseNonce, request.ErrorDetail?.Message);
        watch.Unsubscribe(request.ResourceNamesUnsubscribe);
        if (request.ResourceNamesUnsubscribe.Contains("*")) watch.IsWildcard = false;
        watch.Subscribe(request.ResourceNamesSubscribe);
        if (request.ResourceNamesSubscribe.Contains("*")) watch.IsWildcard = true;
        if (request.ResourceNamesSubscribe.Count == 0) return;
        watch.IsDirty = true;
        watch.OwesAnswer = true;
    }

    // Clusters that were refused ask for no endpoints, and listeners for no routes: nobody waits for theirs.
    private void Answered(WatchedType watch, string nonce, string? error)
    {
        bool isKnown = watch.Answered(nonce, error);
        // A whole type was sent again, with what was refused before.
        if (isKnown && error is null && !_incremental && TypeUrls.IsWholeState(watch.TypeUrl)) watch.ForgiveAll();
        if (error is not null && watch.TypeUrl is TypeUrls.Cluster or TypeUrls.Endpoint) _unwarmed.Clear();
        if (error is not null && watch.TypeUrl is TypeUrls.Listener or TypeUrls.Route) _unrouted.Clear();
    }

    private AdsResponse? Render(WatchedType watch, ProxyScope scope)
    {
        watch.IsDirty = false;
        var isFirst = watch.SentCount == 0 && !watch.IsResumed;
        watch.IsResumed = false;
        if (Now(watch, scope) is not { } now) return null;
        var change = watch.ChangeTo(now);
        IReadOnlyList<string> withheld = [];
        watch.WithholdsRemovals = _incremental && watch.TypeUrl == TypeUrls.Cluster && change.Gone.Count > 0 && NamesMayChange;
        if (watch.WithholdsRemovals) (withheld, change) = (change.Gone, change with { Gone = [] });
        // Who has it all waits for no answer, unless it asked; in state of the world only a whole type can tell that something is gone.
        var isWhole = !_incremental && TypeUrls.IsWholeState(watch.TypeUrl);
        if (change.News.Count == 0 && (change.Gone.Count == 0 || (!_incremental && !isWhole)) && !watch.OwesAnswer)
        {
            if (withheld.Count == 0) watch.Settle(now, scope);
            return null;
        }
        var (revision, nonce) = (scope.Snapshot.Revision, NextNonce(scope));
        NoteWarming(watch, change, isFirst);
        watch.Sent(nonce, revision, now, change, withheld, scope);
        RewarmEndpoints(watch, change);
        return _incremental
            ? AdsResponse.Incremental(watch.TypeUrl, revision, nonce, change)
            : AdsResponse.StateOfTheWorld(watch.TypeUrl, revision, nonce, isWhole ? now : change.News);
    }

    // What the peer is to have; null while it wants nothing.
    private ResourceSet? Now(WatchedType watch, ProxyScope scope)
    {
        if (!watch.IsWildcard && watch.Names.Count == 0 && watch.SentCount == 0 && !watch.OwesAnswer) return null;
        var names = watch.IsWildcard ? null : watch.Names;
        var made = ResourceSet.Of(_hub.Generate(watch.TypeUrl, scope, names), names);
        _hub.Note(watch.TypeUrl, made);
        var now = made.Tenable(watch.SentOf);
        return watch.IsWildcard && watch.Names.Count > 0 ? now.AskedFor(watch.Names) : now;
    }

    // A cluster that changed warms again and waits for its endpoints, although those did not change.
    private void RewarmEndpoints(WatchedType watch, SetChange change)
    {
        if (watch.TypeUrl != TypeUrls.Cluster || !_watches.TryGetValue(TypeUrls.Endpoint, out var endpoints)) return;
        foreach (var cluster in change.News)
        {
            if (endpoints.Names.Contains(cluster.Name) && endpoints.Forget(cluster.Name)) endpoints.IsDirty = true;
        }
    }

    // A cluster whose endpoints are discovered serves from the moment that it has them; one that the proxy holds in another form goes on
    // serving meanwhile. Who never had any is served as it asks. Who comes back with the state of the world does not say what it has: any
    // cluster may be new to it.
    private void NoteWarming(WatchedType watch, SetChange change, bool isFirst)
    {
        if (watch.TypeUrl == TypeUrls.Endpoint && _unwarmed.Count > 0)
        {
            foreach (var endpoints in change.News) _unwarmed.Remove(endpoints.Name);
            foreach (var name in change.Gone) _unwarmed.Remove(name);
        }
        if (watch.TypeUrl == TypeUrls.Listener && !isFirst) NoteRouting(watch, change);
        if (watch.TypeUrl == TypeUrls.Route && _unrouted.Count > 0) _unrouted.ExceptWith(watch.Names);
        if (watch.TypeUrl != TypeUrls.Cluster || isFirst) return;
        foreach (var resource in change.News)
        {
            if (!watch.IsHeld(resource.Name) && resource.EndpointsName is { } name) _unwarmed.Add(name);
        }
    }

    // A listener asks for its routes when it was taken; until then its acknowledgement says little. Who just came asks for everything
    // anyway, and who watches no routes asks for none.
    private void NoteRouting(WatchedType watch, SetChange change)
    {
        if (!_watches.TryGetValue(TypeUrls.Route, out var routes) || routes.IsWildcard) return;
        foreach (var resource in change.News) _unrouted.UnionWith(resource.RouteNames);
        _unrouted.ExceptWith(routes.Names);
    }

    private string NextNonce(ProxyScope scope) =>
        string.Create(CultureInfo.InvariantCulture, $"{scope.Snapshot.Revision}/{++_responses}");
}
