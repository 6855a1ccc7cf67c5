using Lateen.Proxy.Net;

namespace Lateen.Test.Scenarios.Orders;

/// <summary>What is done, and on which stage: everything that follows from a seed.</summary>
/// <param name="Seed">The seed, which is the network's, too.</param>
/// <param name="HasIdentities">Sidecars have certificates and speak mutual TLS.</param>
/// <param name="Replicas">How many replicas the control plane has.</param>
/// <param name="Ways">How each pod's proxy asks for its configuration: incremental, with virtual hosts one by one.</param>
/// <param name="Acts">What is done.</param>
internal sealed record OrderPlan(ulong Seed, bool HasIdentities, int Replicas,
    IReadOnlyList<(bool IsIncremental, bool TakesVirtualHosts)> Ways, IReadOnlyList<Act> Acts)
{
    private const int ActsMin = 24, ActsMore = 16, Pods = 4;

    // Of ten changes that would leave some request without an answer, so many are drawn anew: most that people write is meant to work.
    private const uint WholePerTen = 7;

    public static OrderPlan Of(ulong seed)
    {
        var chance = new Chance((seed * 17) + 3);
        bool identities = chance.Below(4) == 0;
        int replicas = 1 + (int)chance.Below(2);
        var ways = new List<(bool, bool)>();
        for (int i = 0; i < Pods; i++) ways.Add(chance.Below(4) switch { 0 => (false, false), 1 => (true, false), _ => (true, true) });
        return new OrderPlan(seed, identities, replicas, ways, new Drawing(chance, identities).Acts());
    }

    public override string ToString() =>
        $"{(HasIdentities ? "with" : "without")} certificates, {Replicas} replica{(Replicas == 1 ? "" : "s")}, proxies "
        + $"ask {string.Join(", ", Ways.Select(way => way.IsIncremental ? way.TakesVirtualHosts ? "host by host" : "incrementally" : "for the state of the world"))}\n  "
        + string.Join("\n  ", Acts);

    private sealed class Drawing(Chance chance, bool identities)
    {
        private readonly WrittenObject[] _objects = [.. WrittenObject.All.Values];
        private Written _now = Written.Stage;
        private int _marker;

        public List<Act> Acts()
        {
            // Half of the plans begin on a stage on which all is there.
            var acts = new List<Act>();
            if (chance.Below(2) == 0) acts.Add(Everything());
            for (int left = ActsMin + (int)chance.Below(ActsMore); left > 0; left--) acts.Add(Next());
            acts.Add(new Rest());
            return acts;
        }

        private Act Next() => chance.Below(100) switch
        {
            < 44 => Change(),
            < 76 => Ask(),
            < 86 => new Pass(1L << (int)(8 + chance.Below(15))),
            < 95 => new Mishap((Accident)chance.Below(10), chance.Below(64)),
            _ => new Rest(),
        };

        private Begin Ask()
        {
            Errand errand = Errand.All[chance.Below(3) == 0 ? 0 : chance.Below((uint)Errand.All.Length)];
            return new Begin(errand, 1 + (int)chance.Below(3), chance.Below(60_000), errand.Word != "bytes" && chance.Below(4) == 0);
        }

        private Write Everything()
        {
            var all = new Write([.. _objects.Where(one => !one.IsLasting && one.Word is not ("policy" or "filter"))
                .Select(one => new Change(one, one.Forms[0], ++_marker))]);
            _now = _now.After(all.Changes);
            return all;
        }

        private Write Change()
        {
            bool mayBreak = chance.Below(10) >= WholePerTen;
            for (int tries = 0; ; tries++)
            {
                var changes = new Dictionary<string, Change>();
                for (uint more = chance.Below(3) == 0 ? 1 + chance.Below(3) : 0, i = 0; i <= more; i++)
                {
                    Change one = One();
                    changes[one.Object.Word] = one;
                }
                Written after = _now.After(changes.Values);
                if (!mayBreak && tries < 5 && Errand.All.Any(errand => errand.IsWhole(_now, _now) && !errand.IsWhole(after, after)))
                    continue;
                _now = after;
                return new Write([.. changes.Values]);
            }
        }

        private Change One()
        {
            // What bears on most requests comes most often.
            WrittenObject one = chance.Below(3) == 0 ? _objects[chance.Below(4)] : _objects[chance.Below((uint)_objects.Length)];
            if (_now.Has(one.Word) && !one.IsLasting && chance.Below(3) == 0) return new Change(one, null, 0);
            // Without certificates nobody could be strict.
            string[] forms = one.Word == "peers" && !identities ? ["PERMISSIVE", "DISABLE"] : one.Forms;
            return new Change(one, forms[chance.Below((uint)forms.Length)], ++_marker);
        }
    }
}
