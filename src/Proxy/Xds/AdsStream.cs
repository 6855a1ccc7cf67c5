using Envoy.Config.Core.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using BrokenBytes = Lateen.Api.Documents.BrokenBytes;

namespace Lateen.Proxy.Xds;

/// <summary>A resource as it came.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Version">Its version.</param>
/// <param name="Body">Its message.</param>
public readonly record struct IncomingResource(string Name, string Version, Any Body);

/// <summary>Takes what a management server sends.</summary>
public abstract class ResourceConsumer
{
    /// <summary>
    /// Resources of one type arrived. Good ones are taken whatever is wrong with others; the refused ones come back with their reasons and
    /// make the response a NACK.
    /// </summary>
    /// <param name="type">The type URL.</param>
    /// <param name="resources">New and changed ones.</param>
    /// <param name="removed">Names that exist no more.</param>
    /// <param name="isWhole">The resources are the complete set (state of the world of LDS and CDS): what is absent is removed.</param>
    public abstract IReadOnlyList<(string Name, string Reason)> Take(string type, IReadOnlyList<IncomingResource> resources,
        IReadOnlyList<string> removed, bool isWhole);

    /// <summary>A response was refused as a whole, before its resources were looked at.</summary>
    public virtual void Refuse(string type)
    {
    }

    /// <summary>The source of a resource cannot bring it (for now): what waits for it waits no longer.</summary>
    public virtual void GiveUp(string type, string name)
    {
    }

    /// <summary>The name of the resource inside a message of state of the world, which carries none outside.</summary>
    public abstract string NameOf(Any body);
}

/// <summary>
/// The client's side of one discovery stream, without sockets: subscriptions in, requests out; responses in, resources to the consumer and
/// ACK or NACK out. Speaks both forms (incremental, state of the world; xDS protocol document, "ACK/NACK and resource type instance
/// version"). It lives over reconnects: versions accepted so far are told again.
/// One loop uses it. Subscriptions that change while a response is taken leave together when it has been taken (so EDS follows CDS in one
/// request).
/// </summary>
public sealed class AdsStream(bool delta, Node node, ResourceConsumer consumer)
{
    private readonly Dictionary<string, TypeWatch> _watches = new(StringComparer.Ordinal);
    private readonly List<TypeWatch> _order = [];
    private readonly Queue<Waiting> _waiting = [];
    private bool _nodeSent, _taking;

    /// <summary>A request that leaves when what it says has come true, and those that stand behind it.</summary>
    private sealed class Waiting(IMessage message, bool isReady)
    {
        public IMessage Message => message;

        public bool IsReady { get; set; } = isReady;
    }

    /// <summary>What one type has: names asked for, versions accepted.</summary>
    private sealed class TypeWatch(string url)
    {
        public string Url { get; } = url;

        public bool Wildcard { get; set; }

        public HashSet<string> Names { get; } = new(StringComparer.Ordinal);

        public SortedDictionary<string, string> Versions { get; } = new(StringComparer.Ordinal);

        public SortedSet<string> Added { get; } = new(StringComparer.Ordinal);

        public SortedSet<string> Dropped { get; } = new(StringComparer.Ordinal);

        public string AcceptedVersion { get; set; } = "";

        public string Nonce { get; set; } = "";

        public bool Asked { get; set; }

        public bool Changed { get; set; }
    }

    /// <summary>Sends a request; null while there is no stream.</summary>
    public Action<IMessage>? Send { get; private set; }

    /// <summary>Calls back when what was taken is in force on every worker: an acknowledgement says that, and waits for it. Null where
    /// taking is all there is.</summary>
    public Action<Action>? InForce { get; set; }

    /// <summary>Hears how long a resource lives, in microseconds: 0 for ever. Null for nobody.</summary>
    public Action<string, string, long>? Lives { get; set; }

    /// <summary>Nothing was refused in the last response of each type; otherwise what was, by type URL.</summary>
    public SortedDictionary<string, string> LastErrors { get; } = new(StringComparer.Ordinal);

    /// <summary>Responses taken whole, and refused in part or whole.</summary>
    public long Accepted { get; private set; }

    /// <summary>Responses with at least one refused resource.</summary>
    public long Rejected { get; private set; }

    /// <summary>What the management server calls itself; empty where it never said.</summary>
    public string Server { get; private set; } = "";

    /// <summary>The version that the server gave to what is in effect, by type URL.</summary>
    public string VersionOf(string type) => _watches.TryGetValue(type, out TypeWatch? watch) ? watch.AcceptedVersion : "";

    /// <summary>The stream is there: everything that is wanted is asked for, with the versions that are held.</summary>
    public void Open(Action<IMessage> send)
    {
        Send = send;
        _waiting.Clear();
        _nodeSent = false;
        foreach (TypeWatch watch in _order)
        {
            watch.Nonce = "";
            watch.Asked = false;
        }
        Flush();
    }

    /// <summary>The stream is gone; what was accepted stays in effect.</summary>
    public void Close()
    {
        Send = null;
        _waiting.Clear();
    }

    /// <summary>Wants all resources of a type (CDS, LDS).</summary>
    public void WatchAll(string type)
    {
        TypeWatch watch = Watch(type);
        watch.Wildcard = watch.Changed = true;
        Flush();
    }

    /// <summary>Wants a resource by name.</summary>
    public void Subscribe(string type, string name)
    {
        TypeWatch watch = Watch(type);
        if (!watch.Names.Add(name))
            return;
        watch.Dropped.Remove(name);
        watch.Added.Add(name);
        watch.Changed = true;
        Flush();
    }

    /// <summary>Wants it no more.</summary>
    public void Unsubscribe(string type, string name)
    {
        TypeWatch watch = Watch(type);
        if (!watch.Names.Remove(name))
            return;
        watch.Versions.Remove(name);
        if (!watch.Added.Remove(name))
            watch.Dropped.Add(name);
        watch.Changed = true;
        Flush();
    }

    /// <summary>Asks again for a resource that is held already (a cluster that is warmed anew waits for its endpoints).</summary>
    public void Refresh(string type, string name)
    {
        TypeWatch watch = Watch(type);
        if (!watch.Names.Contains(name))
            return;
        watch.Versions.Remove(name);
        watch.Added.Add(name);
        watch.Changed = true;
        Flush();
    }

    /// <summary>A message of the server.</summary>
    /// <returns>False where it is no discovery response: the stream should be ended.</returns>
    public bool Receive(ReadOnlySpan<byte> message)
    {
        try
        {
            if (delta)
                Take(DeltaDiscoveryResponse.Parser.ParseFrom(message));
            else
                Take(DiscoveryResponse.Parser.ParseFrom(message));
            return true;
        }
        catch (Exception e) when (BrokenBytes.Shown(e))
        {
            return false;
        }
    }

    private void Take(DeltaDiscoveryResponse response)
    {
        Server = response.ControlPlane?.Identifier ?? Server;
        TypeWatch watch = Watch(response.TypeUrl);
        var resources = new List<IncomingResource>(response.Resources.Count);
        foreach (Resource resource in response.Resources)
        {
            // A heartbeat renews a resource's time to live and has no body.
            Lives?.Invoke(watch.Url, resource.Name, ValueTranslator.Micros(resource.Ttl));
            if (resource.Resource_ is not null)
                resources.Add(new IncomingResource(resource.Name, resource.Version, resource.Resource_));
        }
        string duplicate = FirstDuplicate(resources);
        IReadOnlyList<(string Name, string Reason)> refused = duplicate.Length > 0
            ? [(duplicate, $"duplicate name {duplicate} found among added/updated resources")]
            : Deliver(watch, resources, response.RemovedResources, isWhole: false);
        watch.AcceptedVersion = refused.Count == 0 ? response.SystemVersionInfo : watch.AcceptedVersion;
        foreach (IncomingResource resource in resources)
        {
            if (!refused.Any(r => r.Name == resource.Name))
                watch.Versions[resource.Name] = resource.Version;
        }
        foreach (string name in response.RemovedResources)
            watch.Versions.Remove(name);
        var ack = new DeltaDiscoveryRequest { TypeUrl = watch.Url, ResponseNonce = response.Nonce };
        if (Note(watch, refused) is { } error)
            ack.ErrorDetail = error;
        Out(ack, isAcceptance: ack.ErrorDetail is null);
        Flush();
    }

    private void Take(DiscoveryResponse response)
    {
        Server = response.ControlPlane?.Identifier ?? Server;
        TypeWatch watch = Watch(response.TypeUrl);
        var resources = new List<IncomingResource>(response.Resources.Count);
        foreach (Any any in response.Resources)
        {
            Resource? wrapped = any.TypeUrl.EndsWith("/envoy.service.discovery.v3.Resource", StringComparison.Ordinal)
                ? Resource.Parser.ParseFrom(any.Value) : null;
            Any? body = wrapped is null ? any : wrapped.Resource_;
            if (wrapped is not null)
                Lives?.Invoke(watch.Url, wrapped.Name, ValueTranslator.Micros(wrapped.Ttl));
            if (body is not null)
                resources.Add(new IncomingResource(wrapped?.Name is { Length: > 0 } name ? name : consumer.NameOf(body),
                    response.VersionInfo, body));
        }
        string duplicate = FirstDuplicate(resources);
        IReadOnlyList<(string Name, string Reason)> refused = duplicate.Length > 0
            ? [(duplicate, $"duplicate name {duplicate} found")]
            : Deliver(watch, resources, [], isWhole: watch.Wildcard);
        if (refused.Count == 0)
            watch.AcceptedVersion = response.VersionInfo;
        watch.Nonce = response.Nonce;
        Google.Rpc.Status? error = Note(watch, refused);
        watch.Changed = false;
        Out(Whole(watch, error), isAcceptance: error is null);
        Flush();
    }

    private static string FirstDuplicate(List<IncomingResource> resources)
    {
        var seen = new HashSet<string>(resources.Count, StringComparer.Ordinal);
        foreach (IncomingResource resource in resources)
        {
            if (!seen.Add(resource.Name))
                return resource.Name;
        }
        return "";
    }

    private IReadOnlyList<(string Name, string Reason)> Deliver(TypeWatch watch, List<IncomingResource> resources,
        IReadOnlyList<string> removed, bool isWhole)
    {
        _taking = true;
        try
        {
            return consumer.Take(watch.Url, resources, removed, isWhole);
        }
        finally
        {
            _taking = false;
        }
    }

    private Google.Rpc.Status? Note(TypeWatch watch, IReadOnlyList<(string Name, string Reason)> refused)
    {
        if (refused.Count == 0)
        {
            Accepted++;
            LastErrors.Remove(watch.Url);
            return null;
        }
        Rejected++;
        string text = $"Error adding/updating {Kind(watch.Url)}(s) {string.Join(", ", refused.Select(r => $"{r.Name}: {r.Reason}"))}";
        LastErrors[watch.Url] = text;
        // 13 INTERNAL, as Envoy sends it.
        return new Google.Rpc.Status { Code = 13, Message = text.Length > 4096 ? text[..4096] : text };
    }

    private static string Kind(string url) => url[(url.LastIndexOf('.') + 1)..] switch
    {
        "Cluster" => "cluster",
        "Listener" => "listener",
        string other => other,
    };

    private TypeWatch Watch(string type)
    {
        if (_watches.TryGetValue(type, out TypeWatch? watch))
            return watch;
        watch = new TypeWatch(type);
        _watches[type] = watch;
        _order.Add(watch);
        return watch;
    }

    private void Flush()
    {
        if (Send is null || _taking)
            return;
        foreach (TypeWatch watch in _order)
        {
            if (!watch.Asked ? watch.Wildcard || watch.Names.Count > 0 : watch.Changed)
                Out(delta ? Incremental(watch) : Whole(watch, null));
            watch.Changed = false;
        }
    }

    private DeltaDiscoveryRequest Incremental(TypeWatch watch)
    {
        var request = new DeltaDiscoveryRequest { TypeUrl = watch.Url };
        if (!watch.Asked)
        {
            // A wildcard type subscribes to nothing by name; names come beside it only where somebody asked (on-demand).
            request.ResourceNamesSubscribe.AddRange(watch.Names.Order(StringComparer.Ordinal));
            foreach ((string name, string version) in watch.Versions)
                request.InitialResourceVersions[name] = version;
        }
        else
        {
            request.ResourceNamesSubscribe.AddRange(watch.Added);
            request.ResourceNamesUnsubscribe.AddRange(watch.Dropped);
        }
        watch.Asked = true;
        watch.Added.Clear();
        watch.Dropped.Clear();
        return request;
    }

    private static DiscoveryRequest Whole(TypeWatch watch, Google.Rpc.Status? error)
    {
        var request = new DiscoveryRequest { TypeUrl = watch.Url, VersionInfo = watch.AcceptedVersion, ResponseNonce = watch.Nonce };
        if (error is not null)
            request.ErrorDetail = error;
        if (!watch.Wildcard)
            request.ResourceNames.AddRange(watch.Names.Order(StringComparer.Ordinal));
        watch.Asked = true;
        watch.Added.Clear();
        watch.Dropped.Clear();
        return request;
    }

    private void Out(IMessage message, bool isAcceptance = false)
    {
        if (!_nodeSent)
        {
            _nodeSent = true;
            if (message is DeltaDiscoveryRequest d)
                d.Node = node;
            else
                ((DiscoveryRequest)message).Node = node;
        }
        if (isAcceptance && InForce is not null)
        {
            var waiting = new Waiting(message, isReady: false);
            _waiting.Enqueue(waiting);
            InForce(() =>
            {
                waiting.IsReady = true;
                Leave();
            });
            return;
        }
        // Requests keep their order.
        if (_waiting.Count > 0)
            _waiting.Enqueue(new Waiting(message, isReady: true));
        else
            Send?.Invoke(message);
    }

    private void Leave()
    {
        while (_waiting.TryPeek(out Waiting? first) && first.IsReady)
        {
            _waiting.Dequeue();
            Send?.Invoke(first.Message);
        }
    }
}
