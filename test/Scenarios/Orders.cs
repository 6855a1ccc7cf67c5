using System.Globalization;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Operator;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Scope;
using Lateen.Proxy.Net;
using Lateen.Test.Scenarios.Stage;

namespace Lateen.Test.Scenarios;

/// <summary>
/// Related objects are created, changed and deleted in random order while requests are under way: a route before its subsets, subsets away before the route, policies, filters and whole services
/// in between. Invariants: no request is answered by a configuration that was never written; between two states in which every route has its subsets nothing is refused for want of a route or a
/// cluster; and what every proxy holds in the end is what a control plane that starts from the same objects gives it, byte for byte.
/// </summary>
internal sealed class OrderHistory
{
    private const int Steps = 14;
    private readonly Mesh _mesh;
    private readonly Chance _chance;
    private readonly List<string> _broken = [];
    private readonly List<string> _told = [];
    private readonly List<Written> _possible = [];
    private Written _now = new([], "", 0);
    private int _marker;
    private bool _otherExists;

    private OrderHistory(ulong seed)
    {
        _mesh = new Mesh(seed);
        _chance = new Chance((seed * 17) + 3);
    }

    /// <summary>What bears on requests to `back`: the subsets that the rule has, what the route names (empty: there is none), and the number that it answers with.</summary>
    private sealed record Written(IReadOnlyList<string> Subsets, string Route, int Marker)
    {
        public IEnumerable<string> Named => Route.Length == 0 ? [] : Route.Split('+').Where(subset => subset != "any");

        public bool IsWhole => Named.All(Subsets.Contains);

        public bool MayAnswer(string version, string marker) =>
            marker == (Route.Length == 0 ? "" : Marker.ToString(CultureInfo.InvariantCulture)) && (Route.Length == 0 || Route.Contains("any") || Named.Contains(version));
    }

    /// <summary>What was broken, in words; empty where nothing was.</summary>
    public IReadOnlyList<string> Broken => _broken;

    /// <summary>What was done, a line each.</summary>
    public IReadOnlyList<string> Told => _told;

    /// <summary>Requests answered.</summary>
    public int Answered => _mesh.Calls.Count(call => call.Status == 200);

    public static OrderHistory Run(ulong seed)
    {
        var history = new OrderHistory(seed);
        history.Play();
        return history;
    }

    private void Play()
    {
        _mesh.Together(() =>
        {
            _mesh.AddService("front", "default", new PortManifest(9080, 9080, "http"));
            _mesh.AddService("back", "default", new PortManifest(9080, 9080, "http"), new PortManifest(9081, 9081, "tcp"));
            _mesh.AddPod("front", "v1", "default");
            _mesh.AddPod("back", "v1", "default");
            _mesh.AddPod("back", "v2", "default");
        });
        _possible.Add(_now);
        for (int step = 0; step < Steps && _broken.Count == 0; step++)
        {
            Change();
            Traffic(1 + (int)_chance.Below(3));
            if (_chance.Below(3) == 0) Settle();
        }
        Settle();
    }

    // ---- changes

    private void Change()
    {
        switch (_chance.Below(12))
        {
            case 0 or 1: Route((string[])["v1", "v2", "v1+v2", "any"]); break;
            case 2: Delete("virtualservice", "back", _now with { Route = "" }, _now.Route.Length > 0); break;
            case 3 or 4: Subsets(); break;
            case 5: Delete("destinationrule", "back", _now with { Subsets = [] }, _now.Subsets.Count > 0); break;
            case 6: Toggle("authorizationpolicy", "open", "security.istio.io/v1", "AuthorizationPolicy", "{rules: [{}]}"); break;
            case 7: Toggle("peerauthentication", "default", "security.istio.io/v1", "PeerAuthentication", "{mtls: {mode: PERMISSIVE}}"); break;
            case 8: Toggle("sidecar", "default", "networking.istio.io/v1", "Sidecar", "{egress: [{hosts: ['*/*']}]}"); break;
            case 9: Toggle("envoyfilter", "named", "networking.istio.io/v1alpha3", "EnvoyFilter", "{configPatches: [{applyTo: CLUSTER, match: {context: SIDECAR_OUTBOUND, cluster: {service: back.default.svc.cluster.local}}, patch: {operation: MERGE, value: {alt_stat_name: patched}}}]}"); break;
            case 10: Toggle("serviceentry", "far", "networking.istio.io/v1", "ServiceEntry", "{hosts: [far.example.com], location: MESH_EXTERNAL, resolution: STATIC, ports: [{number: 9080, name: http, protocol: HTTP}], endpoints: [{address: 203.0.113.7}]}"); break;
            default: Other(); break;
        }
    }

    private void Route(string[] choices)
    {
        string route = choices[_chance.Below((uint)choices.Length)];
        string[] named = route.Split('+');
        string destinations = string.Join(", ", named.Select(subset =>
            $"{{destination: {{host: back{(subset == "any" ? "" : $", subset: {subset}")}}}, weight: {(named.Length == 1 ? 100 : 50)}}}"));
        Apply($"route to {route}", _now with { Route = route, Marker = ++_marker }, "networking.istio.io/v1", "VirtualService", "back",
            $"{{hosts: [back], http: [{{headers: {{response: {{set: {{x-marker: \"{_marker}\"}}}}}}, route: [{destinations}]}}]}}");
    }

    private void Subsets()
    {
        string[] subsets = ((string[][])[["v1"], ["v2"], ["v1", "v2"], ["v2", "v1"]])[_chance.Below(4)];
        string all = string.Join(", ", subsets.Select(version => $"{{name: {version}, labels: {{version: {version}}}}}"));
        Apply($"subsets {string.Join(' ', subsets)}", _now with { Subsets = subsets }, "networking.istio.io/v1", "DestinationRule", "back",
            $"{{host: back, trafficPolicy: {{connectionPool: {{tcp: {{maxConnections: {100 + _chance.Below(3)}}}}}}}, subsets: [{all}]}}");
    }

    // A service that comes and goes, with a route that stays.
    private void Other()
    {
        _otherExists = !_otherExists;
        if (_otherExists)
        {
            Apply("service other", _now, "v1", "Service", "other", "{clusterIP: 10.96.7.7, selector: {app: back}, ports: [{name: http, port: 9080, targetPort: 9080}]}");
            Apply("route of other", _now, "networking.istio.io/v1", "VirtualService", "other", "{hosts: [other], http: [{route: [{destination: {host: back}}]}]}");
        }
        else Delete("service", "other", _now, true);
    }

    private void Toggle(string kind, string name, string apiVersion, string typed, string spec)
    {
        if (_mesh.Written.Everything().Any(resource => resource.Kind.Name == typed && resource.Name == name)) Delete(kind, name, _now, true);
        else Apply(kind, _now, apiVersion, typed, name, spec);
    }

    private void Apply(string told, Written after, string apiVersion, string kind, string name, string spec)
    {
        Note(told, after);
        _mesh.ApplyOrFail(name, $"apiVersion: {apiVersion}\nkind: {kind}\nmetadata: {{name: {name}, namespace: default}}\nspec: {spec}\n");
    }

    private void Delete(string kind, string name, Written after, bool exists)
    {
        if (!exists) return;
        Note($"no {kind} {name}", after);
        Answer<ChangeAnswer> answer = _mesh.ControlPlane.Delete([new Target(kind, name)], [], "default");
        if (answer.Value is not { Accepted: true }) throw new InvalidOperationException($"{kind} {name} is not deleted: {answer.Refusal?.Message}");
    }

    private void Note(string what, Written after)
    {
        _told.Add($"{_mesh.Network.Now}: {what}");
        _now = after;
        _possible.Add(after);
    }

    // ---- what callers see

    private void Traffic(int requests)
    {
        var calls = new List<Call>();
        Pod front = _mesh.Pods[0];
        for (int i = 0; i < requests; i++)
        {
            calls.Add(_mesh.Call(front.Application!.Loop, _mesh.Resolve("back", 9080), new CallRequest("GET", $"/{i}", "back:9080", []), front));
            _mesh.Network.Advance(_chance.Below(60_000));
        }
        _mesh.Await(calls);
        foreach (Call call in calls) Judge(call);
    }

    private void Judge(Call call)
    {
        (string version, string marker) = (call.App.Length > 0 ? call.App[^2..] : "", call.Head.Find("x-marker") ?? "");
        if (call.Status == 200)
        {
            if (!_possible.Any(state => state.MayAnswer(version, marker))) _broken.Add($"{call.Id}: {call} with marker '{marker}' is of no state that was written");
        }
        else if (_possible.TrueForAll(state => state.IsWhole))
        {
            _broken.Add($"{call.Id}: {call} although every route had its subsets");
        }
    }

    // ---- what proxies hold

    private void Settle()
    {
        _mesh.Settle();
        _possible.Clear();
        _possible.Add(_now);
        Traffic(1);
        ControlLoop running = _mesh.ControlPlane.Control!;
        var time = new VirtualTime(_mesh.Network);
        var store = new ResourceStore(Validator.Check, time);
        store.Apply(new ChangeSet { Put = [.. _mesh.Written.Everything()], IsObserved = true });
        var fresh = new ControlLoop(new ControlPlaneOptions { StateFolder = "" }, store, Wiring.Generators(), time.GetUtcNow(), time);
        foreach (AdsStream stream in running.Streams.Open)
        {
            if (stream.Session.Node is not { } node) continue;
            ProxyScope scope = new ScopeBuilder(fresh.Hub.Snapshot!).ScopeOf(node);
            foreach (string type in (string[])[TypeUrls.Cluster, TypeUrls.Endpoint, TypeUrls.Listener, TypeUrls.Route, TypeUrls.VirtualHost]) Compare(stream, type, fresh.Hub.Generate(type, scope, stream.Session.Asked(type)));
        }
    }

    private void Compare(AdsStream stream, string type, IReadOnlyList<WireResource> anew)
    {
        IReadOnlyDictionary<string, string> held = stream.Session.Held(type);
        string[] wrong = [.. anew.Where(resource => held.GetValueOrDefault(resource.Name) != resource.Version).Select(resource => resource.Name), .. held.Keys.Except(anew.Select(resource => resource.Name)).Select(name => "not " + name)];
        if (wrong.Length > 0) _broken.Add($"{stream.ConnectionId} does not hold what a fresh start gives it: {AdsStreams.ShortName(type)} {string.Join(", ", wrong.Take(5))}");
    }
}
