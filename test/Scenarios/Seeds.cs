using System.Security.Cryptography;
using System.Text;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Test.Rigs.Stage;

namespace Lateen.Test.Scenarios;

/// <summary>
/// Random traffic, random changes and random accidents on a small stage. Invariants: every request is answered or visibly broken, no answer
/// comes from a version that no route in effect names, and the same seed gives the same history byte for byte.
/// </summary>
internal sealed class SeededHistory
{
    private const int Rounds = 8;
    private readonly Mesh _mesh;
    private readonly Chance _chance;
    private readonly StringBuilder _events = new();
    private readonly List<string> _broken = [];

    // Versions that a route in effect may name: those of the last rule and, until every proxy has settled, of the one before.
    private int[] _named = [1, 2];

    private SeededHistory(ulong seed)
    {
        _mesh = new Mesh(seed);
        _chance = new Chance(seed * 31 + 7);
    }

    /// <summary>What was broken, in words; empty where nothing was.</summary>
    public IReadOnlyList<string> Broken => _broken;

    /// <summary>Requests that were answered by an application, answered by a proxy, and broken.</summary>
    public (int ByApplication, int ByProxy, int Broken) Outcomes => (
        _mesh.Calls.Count(call => call.Broken is null && call.App.Length > 0),
        _mesh.Calls.Count(call => call.Broken is null && call.App.Length == 0), _mesh.Calls.Count(call => call.Broken is not null));

    /// <summary>The hash of all that happened.</summary>
    public string Hash => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(_events.ToString())));

    /// <summary>All that happened, a line each.</summary>
    public string Events => _events.ToString();

    public static SeededHistory Run(ulong seed)
    {
        var history = new SeededHistory(seed);
        history.Play();
        return history;
    }

    private void Play()
    {
        _mesh.AddService("front", "default", new PortManifest(9080, 9080, "http"));
        _mesh.AddService("back", "default", new PortManifest(9080, 9080, "http"));
        _mesh.AddPod("front", "v1", "default");
        _mesh.AddPod("back", "v1", "default");
        _mesh.AddPod("back", "v2", "default");
        _mesh.Settle();
        for (int round = 0; round < Rounds; round++)
        {
            _mesh.Network.Faults = new MemoryFaults
            {
                DelayPerMille = _chance.Below(200),
                DelayMaxMicros = 1 + _chance.Below(50_000),
                SplitPerMille = _chance.Below(300),
                ResetPerMille = _chance.Below(3) * 5,
            };
            Mishap();
            Traffic();
        }
        Heal();
        foreach (Pod pod in _mesh.Pods) foreach (string line in pod.Log.Lines) Note($"{pod.Name} logged {line}");
    }

    private void Mishap()
    {
        Pod victim = _mesh.Pods[1 + (int)_chance.Below(2)], anyone = _mesh.Pods[(int)_chance.Below(3)];
        switch (_chance.Below(11))
        {
            case 0: victim.Application!.Stop(); break;
            case 1: victim.Application!.Start(); break;
            case 2: anyone.StopProxy(); break;
            case 3: foreach (Pod pod in _mesh.Pods) pod.StartProxy(); break;
            case 4: _mesh.ControlPlane.Stop(); break;
            case 5: _mesh.ControlPlane.Start(); break;
            case 8: _mesh.Network.Partition(_mesh.ControlPlaneHost, anyone.Host); break;
            case 9: Join(); break;
            case 6: (victim.Application!.Manner, victim.Application.Times) = ((Manner)_chance.Below(4), (int)_chance.Below(5)); break;
            case 7: Change(1 + (int)_chance.Below(2)); break;
            default: victim.Application!.DelayMicros = _chance.Below(200_000); break;
        }
    }

    private void Join()
    {
        foreach (Pod pod in _mesh.Pods) _mesh.Network.Heal(_mesh.ControlPlaneHost, pod.Host);
    }

    // A rule that names one version alone. While it travels, the former one may be in effect.
    private void Change(int version)
    {
        if (_mesh.ControlPlane.Control is null) return;
        _named = [.. _named.Append(version).Distinct()];
        _mesh.ApplyOrFail("rule", ChosenSubset.Yaml("chosen", version));
        Note($"rule v{version}");
        // The caller's proxy alone decides where its requests go.
        if (_mesh.Network.RunUntil(
            () => _mesh.ControlPlane.IsSettled
                && _mesh.ControlPlane.Control!.Streams.Count == _mesh.Pods.Count(pod => pod.Proxy is not null), 30_000_000))
        {
            _mesh.Network.Advance(100_000);
            _named = [version];
        }
        _broken.AddRange(_mesh.ControlPlane.Refusals);
    }

    private void Traffic()
    {
        var calls = new List<Call>();
        for (int i = 0; i < 6; i++)
        {
            Pod front = _mesh.Pods[0];
            calls.Add(_mesh.Call(front.Application!.Loop, _mesh.Resolve("back", 9080),
                new CallRequest("GET", $"/{i}", "back:9080", [], Http2: _chance.Below(4) == 0), front));
            _mesh.Network.Advance(_chance.Below(30_000));
        }
        bool all = _mesh.Network.RunUntil(() => calls.TrueForAll(call => call.IsOver), MayBeSilent() ? 2_000_000 : 60_000_000);
        if (!all && !MayBeSilent())
            _broken.Add($"{calls.Count(call => !call.IsOver)} requests were neither answered nor broken after a minute");
        foreach (Call call in calls)
        {
            if (!call.IsOver) call.GiveUp();
            Note($"{_mesh.Network.Now} {call.Id} {call}");
            if (call.App.Length > 0 && !_named.Contains(call.App[^1] - '0'))
                _broken.Add($"{call.Id} was answered by {call.App}, but only v{string.Join(", v", _named)} is named");
        }
    }

    // An application that takes requests and says nothing is answered by nobody: there is no timeout in these rules.
    private bool MayBeSilent() => _mesh.Pods.Any(pod => pod.Application!.Manner == Manner.Silent);

    // When all is well again, all is well again.
    private void Heal()
    {
        _mesh.Network.Faults = new MemoryFaults();
        Join();
        _mesh.ControlPlane.Start();
        foreach (Pod pod in _mesh.Pods)
        {
            pod.Application!.Start();
            (pod.Application.Manner, pod.Application.DelayMicros) = (Manner.Answer, 0);
            pod.StartProxy();
        }
        _mesh.Settle();
        _mesh.Network.Advance(1_000_000);
        Pod front = _mesh.Pods[0];
        Call last = _mesh.Call(front.Application!.Loop, _mesh.Resolve("back", 9080), new CallRequest("GET", "/last", "back:9080", []),
            front);
        _mesh.Await([last]);
        _mesh.Network.Advance(2_000);
        Note($"{_mesh.Network.Now} {last}");
        if (last.Status != 200) _broken.Add($"after all was mended, the answer was {last}");
    }

    private void Note(string text) => _events.Append(text).Append('\n');
}
