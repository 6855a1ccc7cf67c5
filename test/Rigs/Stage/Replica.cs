using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.Proxy.Net;

namespace Lateen.Test.Rigs.Stage;

/// <summary>A control plane that reads what is written as from an API server: each change some time after it was made, and everything anew,
/// in any order, when it comes back from its death.</summary>
internal sealed class Replica : Deadline
{
    private readonly Mesh _mesh;
    private readonly long _lagMicros;
    private readonly Chance _chance;
    private readonly Queue<(long At, StoreChange Change)> _underWay = new();

    /// <param name="mesh">Whose objects it reads.</param>
    /// <param name="process">The process; one that runs already reads the mesh's own store until it dies.</param>
    /// <param name="lagMicros">How long a change is under way.</param>
    /// <param name="chance">In which order everything is read.</param>
    public Replica(Mesh mesh, ControlPlaneProcess process, long lagMicros, Chance chance)
    {
        (_mesh, Process, _lagMicros, _chance) = (mesh, process, lagMicros, chance);
        mesh.Store.Changed += Note;
    }

    public ControlPlaneProcess Process { get; }

    /// <summary>It runs, and nothing is under way to it.</summary>
    public bool HasAll => Process.Control is not null && _underWay.Count == 0;

    /// <summary>kill -9.</summary>
    public void Die()
    {
        Process.Stop();
        _underWay.Clear();
    }

    public void ComeBack()
    {
        if (Process.Control is not null) return;
        Resource[] all = [.. _mesh.Written.Everything().OrderBy(resource => resource.Key.ToString(), StringComparer.Ordinal)];
        for (int i = all.Length - 1; i > 0; i--)
        {
            int with = (int)_chance.Below((uint)i + 1);
            (all[i], all[with]) = (all[with], all[i]);
        }
        Process.Store = new ResourceStore(Validator.Check, new VirtualTime(_mesh.Network));
        Process.Store.Apply(new ChangeSet { Put = all, IsObserved = true });
        Process.Start();
    }

    protected override void OnDue(long now)
    {
        while (_underWay.TryPeek(out (long At, StoreChange Change) next) && next.At <= now)
        {
            _underWay.Dequeue();
            Process.Store.Apply(new ChangeSet
            {
                Put = [.. next.Change.Keys.Select(next.Change.After.Find).OfType<Resource>()],
                Delete = [.. next.Change.Keys.Where(key => next.Change.After.Find(key) is null)],
                IsObserved = true,
            });
        }
        Process.Look();
        if (_underWay.Count > 0) Arm(now);
    }

    private void Note(StoreChange change)
    {
        if (Process.Control is null || Process.Store == _mesh.Store) return;
        _underWay.Enqueue((_mesh.Network.Now + _lagMicros, change));
        if (_underWay.Count == 1) Arm(_mesh.Network.Now);
    }

    private void Arm(long now) => _mesh.Outside.Arm(this, Math.Max(0, _underWay.Peek().At - now));
}
