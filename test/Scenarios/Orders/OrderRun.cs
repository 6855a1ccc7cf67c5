using System.Globalization;
using Lateen.Config.Resources;
using Lateen.ControlPlane.Ads;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Server;
using Lateen.Test.Rigs.Stage;

namespace Lateen.Test.Scenarios.Orders;

/// <summary>Plays a plan on a mesh and notes what should not have been.</summary>
internal sealed class OrderRun
{
    private const long QuietMicros = 120_000_000;
    private readonly OrderPlan _plan;
    private readonly Mesh _mesh;
    private readonly List<Replica> _replicas = [];
    private readonly List<string> _broken = [];
    private readonly List<(Errand Errand, Call Call)> _underWay = [];

    // States that may be in effect somewhere: all since everybody had the same one.
    private readonly List<Written> _possible = [Written.Stage];

    // Pods whose proxies died since then: what they carry may break.
    private readonly HashSet<Pod> _shaken = [];
    private Written _now = Written.Stage;

    // The longest delay of the network since then: what was sent before all was mended may come so much later.
    private long _slowest;

    private OrderRun(OrderPlan plan)
    {
        _plan = plan;
        _mesh = new Mesh(plan.Seed);
    }

    /// <summary>What was broken, in words; empty where nothing was.</summary>
    public IReadOnlyList<string> Broken => _broken;

    /// <summary>Requests judged.</summary>
    public int Judged { get; private set; }

    /// <summary>Requests that applications answered.</summary>
    public int Answered { get; private set; }

    /// <summary>Plays a plan to its end, or until something is broken. What the product throws is broken, too.</summary>
    public static OrderRun Of(OrderPlan plan)
    {
        var run = new OrderRun(plan);
        try
        {
            run.Build();
            foreach (Act act in plan.Acts)
            {
                run.Do(act);
                if (run._broken.Count > 0) break;
            }
        }
        catch (Exception defect)
        {
            run._broken.Add(defect.ToString());
        }
        return run;
    }

    private void Build()
    {
        Address second = Address.V4(0x0a000003, ControlPlaneProcess.Port);
        _mesh.AddExternal(Errand.FarHost, Errand.FarAddress, 9080, "http");
        // Gateways prove who they are, or they would get no certificate of a server.
        _mesh.ControlPlane.ProvenBy = Proven;
        _mesh.Together(() =>
        {
            _mesh.AddService("front", "default", new PortManifest(9080, 9080, "http"));
            _mesh.AddService("back", "default", new PortManifest(9080, 9080, "http"), new PortManifest(9081, 9081, "tcp"));
            _mesh.AddService("istio-ingressgateway", "istio-system", Bookinfo.GatewayPorts);
            (string App, string Version)[] pods = [("front", "v1"), ("back", "v1"), ("back", "v2"), ("", "")];
            for (int i = 0; i < pods.Length; i++)
            {
                (bool isIncremental, bool takesHosts) = _plan.Ways[i];
                _mesh.Discovery = new DiscoveryWay(_plan.Replicas == 2 ? [Mesh.ControlPlaneAt, second] : [Mesh.ControlPlaneAt])
                {
                    IsIncremental = isIncremental,
                    TakesVirtualHosts = takesHosts,
                };
                string? account = _plan.HasIdentities ? "account" + i : null;
                if (pods[i].App.Length == 0) _mesh.AddGateway("istio-ingressgateway", "istio-system", account);
                else _mesh.AddPod(pods[i].App, pods[i].Version, "default", account);
            }
        });
        _replicas.Add(new Replica(_mesh, _mesh.ControlPlane, 0, new Chance(_plan.Seed + 1)));
        if (_plan.Replicas < 2) return;
        ControlPlaneProcess other = _mesh.AddControlPlane("istiod-2", second);
        other.ProvenBy = Proven;
        _replicas.Add(new Replica(_mesh, other, 30_000, new Chance(_plan.Seed + 2)));
        _replicas[1].ComeBack();
    }

    private IReadOnlyList<string>? Proven(Address from) =>
        _mesh.Pods.FirstOrDefault(pod => pod.Application is null && pod.Host.Ip.Ip == from.Ip) is { } gateway
            ? [$"spiffe://cluster.local/ns/{gateway.Namespace}/sa/{gateway.Account}"] : null;

    private void Do(Act act)
    {
        JudgeFinished();
        switch (act)
        {
            case Write write: Change([.. write.Changes.Where(change => change.Form is not null || _now.Has(change.Object.Word))]); break;
            case Begin begin: Ask(begin); break;
            case Pass pass: _mesh.Network.Advance(pass.Micros); break;
            case Mishap mishap: Happen(mishap.What, (int)mishap.Whom); break;
            case Orders.Rest: Mend(); break;
        }
        JudgeFinished();
    }

    private void Change(Change[] changes)
    {
        if (changes.Length == 0) return;
        _now = _now.After(changes);
        _possible.Add(_now);
        _mesh.Write(
            string.Join("---\n", changes.Where(change => change.Form is not null)
                .Select(change => change.Object.Yaml(change.Form!, change.Marker, _mesh))),
                [.. changes.Where(change => change.Form is null).Select(change => change.Object.Resource)]);
    }

    private void Ask(Begin begin)
    {
        for (int i = 0; i < begin.Times; i++)
        {
            Ask(begin.Errand, begin.IsHttp2);
            _mesh.Network.Advance(begin.EveryMicros);
        }
    }

    private void Ask(Errand errand, bool isHttp2)
    {
        (MemoryLoop from, Address to, CallRequest request) = errand.Ask(_mesh, isHttp2);
        _underWay.Add((errand, _mesh.Call(from, to, request, errand.Chooser(_mesh))));
    }

    private void Happen(Accident what, int whom)
    {
        Pod pod = _mesh.Pods[whom % _mesh.Pods.Count];
        Replica replica = _replicas[whom / _mesh.Pods.Count % _replicas.Count];
        switch (what)
        {
            case Accident.ReplicaDies: replica.Die(); break;
            case Accident.ReplicaComesBack: replica.ComeBack(); break;
            case Accident.Cut: _mesh.Network.Partition(replica.Process.Host, pod.Host); break;
            case Accident.Join: Join(); break;
            case Accident.StreamBreaks: foreach (Replica one in _replicas) one.Process.Break(pod.Host); break;
            case Accident.StreamIsSentOn: replica.Process.Control?.Streams.EndOldest(); break;
            case Accident.Slow: Slow(whom); break;
            case Accident.Fast: _mesh.Network.Faults = new MemoryFaults(); break;
            case Accident.LateAnswers: foreach (Pod late in _mesh.Pods.Where(late => late.Application is not null))
                late.Application!.DelayMicros = whom * 10_000; break;
            case Accident.ProxyRestarts: Restart(_mesh.Pods[whom % 2 == 0 ? 0 : 3]); break;
        }
    }

    private void Slow(int howMuch)
    {
        _mesh.Network.Faults = new MemoryFaults
        {
            DelayPerMille = 50 + (uint)howMuch,
            DelayMaxMicros = 2_000L << (howMuch % 8),
            SplitPerMille = 100,
        };
        _slowest = Math.Max(_slowest, _mesh.Network.Faults.DelayMaxMicros);
    }

    private void Restart(Pod pod)
    {
        _shaken.Add(pod);
        pod.StopProxy();
        pod.StartProxy();
    }

    private void Join()
    {
        foreach (Replica replica in _replicas)
        {
            foreach (Pod pod in _mesh.Pods) _mesh.Network.Heal(replica.Process.Host, pod.Host);
        }
    }

    // All is mended; then everybody has the last state, and that state alone may answer.
    private void Mend()
    {
        _mesh.Network.Faults = new MemoryFaults();
        Join();
        foreach (Replica replica in _replicas) replica.ComeBack();
        foreach (Pod pod in _mesh.Pods.Where(pod => pod.Application is not null)) pod.Application!.DelayMicros = 0;
        bool isQuiet = _mesh.Network.RunUntil(IsQuiet, QuietMicros);
        // What was under way while the network was slow arrives; it may be the end of a connection to a proxy that died.
        _mesh.Network.Advance(2_000 + _slowest);
        _slowest = 0;
        Await();
        _broken.AddRange(_replicas.SelectMany(replica => replica.Process.Refusals.Concat(replica.Process.Faults)));
        if (!isQuiet) _broken.Add($"it is not quiet after {QuietMicros / 1_000_000} s: {string.Join("; ", _replicas.Select(Unquiet))}");
        if (_broken.Count > 0) return;
        _possible.Clear();
        _possible.Add(_now);
        _shaken.Clear();
        foreach (Errand errand in Errand.All) Ask(errand, isHttp2: false);
        Await();
        _broken.AddRange(FreshStart.Differences(_mesh, _replicas));
        _mesh.Calls.Clear();
        foreach (Pod pod in _mesh.Pods) pod.Log.Lines.Clear();
    }

    // The stream of a proxy that died behind a cut is open until the network tells of it.
    private bool IsQuiet() =>
        _mesh.Pods.All(pod => pod.Proxy?.State == ProxyState.Live)
            && _replicas.TrueForAll(replica => replica.HasAll && replica.Process.IsSettled)
            && _replicas.Sum(replica =>
                replica.Process.Control!.Streams.Open.Count(stream => stream.IsProxy && !stream.IsOver)) >= _mesh.Pods.Count;

    private string Unquiet(Replica replica) =>
        replica.Process.Control is not { } control ? "away" : string.Create(CultureInfo.InvariantCulture,
            $"{(replica.HasAll ? "" : "behind, ")}generation {control.Streams.Generation} "
            + $"of {control.Generation}, {string.Join(", ", control.Streams.Open.Select(stream => $"{stream.ConnectionId} at {stream.SettledGeneration} waits for {string.Join(' ', stream.Session.Unasked)} {string.Join(' ', stream.Types.Select(type => AdsStreams.ShortName(type.Key) + " " + AdsStreams.StateOf(stream, type.Key)))}"))}");

    private void Await()
    {
        _mesh.Await([.. _underWay.Select(one => one.Call)]);
        JudgeFinished();
    }

    private void JudgeFinished()
    {
        foreach ((Errand errand, Call call) in _underWay.Where(one => one.Call.IsOver)) Judge(errand, call);
        _underWay.RemoveAll(one => one.Call.IsOver);
    }

    private void Judge(Errand errand, Call call)
    {
        Judged++;
        if (call.Status == 200) Answered++;
        if (_possible.Exists(chosen => _possible.Exists(letIn => errand.IsOf(call, chosen, letIn)))) return;
        if (!errand.IsLost(call)) Tell(errand, call, "no state that was written gives this answer");
        else if (!_shaken.Overlaps(errand.Carriers(_mesh))
            && _possible.TrueForAll(chosen => _possible.TrueForAll(ready => errand.IsWhole(chosen, ready))))
            Tell(errand, call, "every state since all were quiet has an answer for it");
    }

    private void Tell(Errand errand, Call call, string why)
    {
        _mesh.Network.Advance(2_000);
        _broken.Add(string.Create(CultureInfo.InvariantCulture,
            $"at {_mesh.Network.Now} {errand} got {call} "
            + $"with {string.Join(", ", call.Head.Where(h => h.Name is "x-marker" or "x-filter" or "x-lua").Select(h => $"{h.Name} {h.Value}"))} by {call.Cluster} after {call.TookMicros} us, but {why}"));
    }
}
