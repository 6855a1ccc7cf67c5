using System.Text;
using System.Text.Json.Nodes;
using Envoy.Config.Route.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Sources.Kubernetes.Watching;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Cluster;
using Lateen.Pilot.Generation;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Fields;

/// <summary>A control plane that takes objects as an API server tells them, and three proxies that are told everything after
/// each.</summary>
internal sealed class FieldStand
{
    private static readonly string[] Types = [TypeUrls.Cluster, TypeUrls.Listener, TypeUrls.ExtensionConfig, TypeUrls.NameTable];

    private readonly ApiObjectDecoder _decoder = new(ResourceOrigin.FromCluster);
    private readonly ResourceStore _store = new(Validator.Check, TimeProvider.System);
    private readonly List<string> _said = [];
    private readonly ControlLoop _loop;
    private readonly AdsStream[] _proxies;
    private readonly Dictionary<ResourceKey, JsonObject> _sound = [];
    private readonly SortedDictionary<string, ByteString> _canary;
    private DateTimeOffset _now = TimeProvider.System.GetUtcNow();

    public FieldStand()
    {
        _loop = new ControlLoop(new ControlPlaneOptions { StateFolder = "", DebounceAfter = TimeSpan.FromMilliseconds(1) }, _store,
            Wiring.Generators(), _now, TimeProvider.System, _said.Add);
        foreach (JsonObject written in Objects(FieldWorld.Canary)) Take(written);
        foreach (JsonObject written in Objects(FieldWorld.Sound)) _sound[Take(written)] = written;
        Assert.Empty(_store.Current.Held.Select(held => $"{held.Key}: {string.Join("; ", held.Value.Diagnostics)}"));
        _proxies = [Connect("sidecar", "client", "canary"), Connect("sidecar", "client", "shop"), Connect("router", "edge-own", "shop"),
            Connect("router", "gateway", "istio-system")];
        Settle();
        _canary = Canary();
        Assert.Contains(_canary.Keys, name => name.StartsWith("host ", StringComparison.Ordinal));
    }

    /// <summary>Kinds of which there is a sound object.</summary>
    public IEnumerable<ResourceKind> Kinds => _sound.Keys.Select(key => key.Kind);

    /// <summary>Plays a spoiled object, then the sound one again.</summary>
    /// <returns>What is wrong with what was seen; null for nothing.</returns>
    public string? Play(OddField odd)
    {
        (ResourceKey key, JsonObject good) = _sound.First(pair => pair.Key.Kind == odd.Kind);
        try
        {
            Take(OddFields.Spoiled(good, odd), key);
            Settle();
            string? wrong = Wrong(key);
            Take(good);
            Settle();
            if (wrong is null && _store.Current.Held.Count > 0) wrong = "the sound object is held out after the spoiled one";
            return wrong is null ? null : $"{odd}: {wrong}";
        }
        catch (Exception broken)
        {
            return $"{odd}: {broken}";
        }
    }

    private string? Wrong(ResourceKey key)
    {
        if (_said.Find(line => line.StartsWith("error\tfault", StringComparison.Ordinal)) is { } fault)
        {
            _said.Clear();
            return fault;
        }
        if (_store.Current.Held.Keys.Any(held => held != key))
            return $"{_store.Current.Held.Keys.First(held => held != key)} is held out for it";
        if (_store.Current.Held.TryGetValue(key, out HeldResource? held))
        {
            if (!held.Diagnostics.Any(found => found.IsError && found.Text.Length > 0)) return "it is held out, and nothing says why";
            bool isIstios = key.Kind.Group.EndsWith(".istio.io", StringComparison.Ordinal);
            if (isIstios && !StatusWish.Of(_store.Current, [])
                .Any(wish => wish.Key == key && wish.Status["validationMessages"] is JsonArray { Count: > 0 }))
                return "it is held out, and its status does not say so";
        }
        foreach (StatusWish wish in StatusWish.Of(_store.Current, _loop.Configuration.GatewayApiStatuses())) _ = wish.Status.ToJsonString();
        if (_loop.Hub.HeldOut.Count > 0 && _loop.Configuration.Objects("all", null, null, null).Value is { } rows
            && !rows.Items.Any(row => row.Findings.Any(found => found.Code == "LTN2204")))
            return $"resources are held out and no object says "
                + $"so: {string.Join("; ", _loop.Hub.HeldOut.Select(out_ => $"{out_.Name}: {out_.Fault}"))}";
        SortedDictionary<string, ByteString> now = Canary();
        string[] harmed = [.. _canary.Where(pair => !now.TryGetValue(pair.Key, out ByteString? bytes) || !bytes.Equals(pair.Value))
            .Select(pair => pair.Key)];
        return harmed.Length == 0 ? null : $"another service is told otherwise: {string.Join(", ", harmed)}";
    }

    // As the source does it: what can't be read is held out by what names it.
    private ResourceKey Take(JsonObject written, ResourceKey? known = null)
    {
        ResourceKind kind = Lateen.Config.Resources.Kinds.Find(Group(written), (string)written["kind"]!)!;
        var served = new ServedKind(kind, ((string)written["apiVersion"]!).Split('/')[^1]);
        ApiObject found = ApiObject.Of(Encoding.UTF8.GetBytes(written.ToJsonString()))!;
        var diagnostics = new DiagnosticBag();
        if (_decoder.Decode(served, found, diagnostics) is { } resource)
            _store.Apply(new ChangeSet { Put = [resource], IsObserved = true });
        else if (_decoder.Envelope(served, found) is { } envelope)
            _store.Apply(new ChangeSet { Unreadable = [new HeldResource(envelope, [.. diagnostics])], IsObserved = true });
        return known ?? new ResourceKey(kind, kind.IsNamespaced ? found.Namespace : "", found.Name);
    }

    private void Settle()
    {
        // The first notes what changed, the second finds that it has been quiet since.
        for (int i = 0; i < 2; i++) _loop.Tick(_now += TimeSpan.FromSeconds(10));
        foreach (AdsStream proxy in _proxies) Told(proxy, (_, _) => { });
    }

    private SortedDictionary<string, ByteString> Canary()
    {
        var all = new SortedDictionary<string, ByteString>(StringComparer.Ordinal);
        Told(_proxies[0], (type, resource) =>
        {
            if (type == TypeUrls.Route)
            {
                foreach (VirtualHost host in ((RouteConfiguration)resource.Message).VirtualHosts.Where(
                    host => host.Name.Contains("web.canary", StringComparison.Ordinal)))
                    all[$"host {resource.Name} {host.Name}"] = host.ToByteString();
            }
            else if (resource.Name.Contains("web.canary", StringComparison.Ordinal))
                all[$"{type} {resource.Name}"] = ByteString.CopyFrom(resource.Entry.Span);
        });
        return all;
    }

    private void Told(AdsStream proxy, Action<string, WireResource> see)
    {
        var (endpoints, routes) = (new HashSet<string>(), new HashSet<string> { "80" });
        foreach (string type in Types)
        {
            foreach (WireResource resource in _loop.Hub.Generate(type, proxy.Session.Scope!, null))
            {
                see(type, resource);
                if (resource.EndpointsName is { } name) endpoints.Add(name);
                routes.UnionWith(resource.RouteNames);
            }
        }
        foreach ((string type, HashSet<string> names) in new[] { (TypeUrls.Endpoint, endpoints), (TypeUrls.Route, routes) })
        {
            foreach (WireResource resource in _loop.Hub.Generate(type, proxy.Session.Scope!, names)) see(type, resource);
        }
        // What is sent goes through the session, too: it is there that something is held out.
        while (_loop.Streams.Next(proxy, _now) is { } response)
            _loop.Streams.Receive(proxy, new DeltaDiscoveryRequest { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce }, _now);
    }

    private AdsStream Connect(string type, string name, string ns)
    {
        AdsStream stream = _loop.Streams.Connect("peer", () => { }, _now);
        var labels = new Struct { Fields =
        {
            ["app"] = Value.ForString("client"),
            ["istio"] = Value.ForString("ingressgateway"),
            ["gateway.networking.k8s.io/gateway-name"] = Value.ForString("edge"),
        } };
        var node = new Envoy.Config.Core.V3.Node
        {
            Id = $"{type}~10.1.1.{(ns == "shop" ? 1 : 77)}~{name}.{ns}~{ns}.svc.cluster.local",
            Metadata = new Struct { Fields =
            {
                ["CLUSTER_ID"] = Value.ForString("Kubernetes"),
                ["NAMESPACE"] = Value.ForString(ns),
                ["LABELS"] = Value.ForStruct(labels),
            } },
        };
        foreach (string watched in Types)
            Assert.Null(_loop.Streams.Receive(stream, new DeltaDiscoveryRequest { Node = node, TypeUrl = watched }, _now));
        return stream;
    }

    private static IEnumerable<JsonObject> Objects(string yaml) =>
        DocumentReader.Read(yaml, "", []).Where(document => document.Root is not null)
            .Select(document => JsonNode.Parse(NodeText.ToJson(document.Root!, indented: false))!.AsObject());

    private static string Group(JsonObject written) =>
        (string)written["apiVersion"]! is { } version && version.Contains('/', StringComparison.Ordinal) ? version.Split('/')[0] : "";
}
