namespace Lateen.Proxy.Clusters.Balancing;

/// <summary>
/// Earliest deadline first: each entry is due 1/weight after its last turn; the one due first has its turn. Equal deadlines go by order of
/// entry. A binary heap over arrays that are made once.
/// </summary>
internal sealed class EdfSchedule
{
    private readonly Entry[] _heap;
    private double _now;
    private ulong _order;
    private int _count;

    private struct Entry
    {
        public double Deadline;
        public ulong Order;
        public int Index;
    }

    public EdfSchedule(int capacity) => _heap = new Entry[Math.Max(1, capacity)];

    public int Count => _count;

    /// <summary>
    /// A schedule of all weights as it is after a number of turns. Whole rounds are not played but counted: each entry has had its share of
    /// the turns, and only what is left over is taken one by one.
    /// Large numbers also settle equal deadlines for good: near zero the sums of 1/5 and of 1/1 fall on either side of each other from
    /// round to round.
    /// </summary>
    public static EdfSchedule After(double[] weights, uint turns)
    {
        double sum = 0;
        foreach (double weight in weights)
            sum += weight;
        var schedule = new EdfSchedule(weights.Length);
        uint taken = 0;
        double now = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            uint had = (uint)(turns * weights[i] / sum);
            taken += had;
            now = Math.Max(now, had / weights[i]);
            schedule._now = had / weights[i];
            schedule.Add(i, weights[i]);
        }
        schedule._now = now;
        for (; taken < turns; taken++)
        {
            int at = schedule.Take();
            schedule.Add(at, weights[at]);
        }
        return schedule;
    }

    /// <summary>Adds an entry known by a number.</summary>
    public void Add(int index, double weight)
    {
        int at = _count++;
        _heap[at] = new Entry { Deadline = _now + 1.0 / weight, Order = _order++, Index = index };
        while (at > 0 && Before(_heap[at], _heap[(at - 1) / 2]))
        {
            int up = (at - 1) / 2;
            (_heap[at], _heap[up]) = (_heap[up], _heap[at]);
            at = up;
        }
    }

    /// <summary>Takes the next one out; add it again with its weight of then.</summary>
    public int Take()
    {
        Entry first = _heap[0];
        _heap[0] = _heap[--_count];
        int at = 0;
        while (true)
        {
            int left = 2 * at + 1, least = at;
            if (left < _count && Before(_heap[left], _heap[least]))
                least = left;
            if (left + 1 < _count && Before(_heap[left + 1], _heap[least]))
                least = left + 1;
            if (least == at)
                break;
            (_heap[at], _heap[least]) = (_heap[least], _heap[at]);
            at = least;
        }
        _now = first.Deadline;
        return first.Index;
    }

    private static bool Before(in Entry a, in Entry b) => a.Deadline < b.Deadline || (a.Deadline <= b.Deadline && a.Order < b.Order);
}
