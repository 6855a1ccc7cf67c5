using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Proxy.Xds;

namespace Lateen.Proxy.Server;

/// <summary>Listeners on all workers: changes go to each as a letter, and what could not be bound comes back to the main loop.</summary>
public sealed class WorkerListeners : ListenerHost
{
    private readonly EventLoop _main;
    private readonly ListenerSet[] _sets;
    private readonly Dictionary<string, Listener> _listeners = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _awaited = new(StringComparer.Ordinal);
    private readonly HeldAddresses _held;
    private Func<Listener, bool> _stopped = static _ => false;

    /// <summary>For the workers of a proxy.</summary>
    public WorkerListeners(EventLoop main, IReadOnlyList<Worker> workers, OverloadSwitches overload)
    {
        _main = main;
        _held = new HeldAddresses(main, workers);
        _sets = [.. workers.Select(w => new ListenerSet(w) { Overload = overload })];
    }

    /// <summary>Listeners that came into service on a worker; listeners whose connections were told to end, ever and not over
    /// yet.</summary>
    public long Created { get; private set; }

    /// <summary>Listeners whose addresses could not be bound.</summary>
    public long Refused { get; private set; }

    /// <summary>Listeners that were drained.</summary>
    public long EverDrained { get; private set; }

    /// <summary>Drained listeners that have connections left.</summary>
    public long DrainingNow => 0;

    /// <summary>The listeners put so far, by name. Main loop.</summary>
    public IReadOnlyDictionary<string, Listener> All => _listeners;

    /// <summary>Names of listeners that could not be bound, with the reason. Main loop.</summary>
    public Dictionary<string, string> Failures { get; } = new(StringComparer.Ordinal);

    /// <summary>True when every worker has answered for every listener. Main loop.</summary>
    public bool IsSettled => _awaited.Count == 0;

    /// <summary>Called on the main loop when a listener is in service on all workers, or could not be bound.</summary>
    public Action? Settled { get; set; }

    /// <summary>No address is taken (--mode validate).</summary>
    public bool OnlyChecks { get; set; }

    /// <inheritdoc/>
    public override string? Reserve(Listener listener)
    {
        if (OnlyChecks || !listener.Binds || _stopped(listener)
            || (_listeners.TryGetValue(listener.Name, out Listener? known) && listener.SharesSocketsWith(known)))
            return null;
        string? reason = _held.Take(listener);
        if (reason is not null)
            Refused++;
        return reason;
    }

    /// <inheritdoc/>
    public override void Put(Listener listener)
    {
        // As Envoy: once traffic of its direction was stopped, a listener is accepted and does not serve.
        if (_stopped(listener))
            return;
        _listeners[listener.Name] = listener;
        _awaited[listener.Name] = _sets.Length;
        foreach (ListenerSet set in _sets)
            set.Worker.Loop.Post(new Putting(this, set, listener, _held.Of(listener.Name)));
    }

    /// <inheritdoc/>
    public override void Remove(string name)
    {
        _listeners.Remove(name);
        foreach (ListenerSet set in _sets)
            set.Worker.Loop.Post(new Acting(set, s => s.Remove(name)));
        _held.Leave(name);
    }

    /// <summary>How connections end whose listener or chain is gone.</summary>
    public DrainPace Pace
    {
        get => _sets[0].Pace;
        set => Array.ForEach(_sets, s => s.Pace = value);
    }

    /// <summary>Open connections of a chain that was changed are served by the new one.</summary>
    public bool HandsOver
    {
        init => Array.ForEach(_sets, s => s.HandsOver = value);
    }

    /// <summary>Ends connections of the listeners chosen in order, on all workers.</summary>
    public void Drain(Func<Listener, bool> which)
    {
        EverDrained += _listeners.Values.Count(which);
        OnEach(s => s.Drain(which));
    }

    /// <summary>The listeners chosen accept nothing more; their connections go on.</summary>
    public void Stop(Func<Listener, bool> which)
    {
        EverDrained += _listeners.Values.Count(which);
        Func<Listener, bool> before = _stopped;
        _stopped = l => which(l) || before(l);
        OnEach(s => s.Stop(which));
        foreach (Listener listener in _listeners.Values.Where(which))
            _held.Leave(listener.Name);
    }

    /// <summary>Nothing is accepted for a while, on all workers.</summary>
    public void Pause(bool paused) => OnEach(s => s.Pause(paused));

    private void OnEach(Action<ListenerSet> action)
    {
        foreach (ListenerSet set in _sets)
            set.Worker.Loop.Post(new Acting(set, action));
    }

    private void Answered(string name, string? failure)
    {
        if (failure is not null)
            Failures[name] = failure;
        else
        {
            Failures.Remove(name);
            Created++;
        }
        if (_awaited.TryGetValue(name, out int left) && --left > 0)
        {
            _awaited[name] = left;
            return;
        }
        _awaited.Remove(name);
        _held.Settle(name);
        Settled?.Invoke();
    }

    private sealed class Putting(WorkerListeners owner, ListenerSet set, Listener listener, IReadOnlyDictionary<Address, BoundSocket> bound)
        : Letter
    {
        protected internal override void Deliver()
        {
            string? failure = null;
            try
            {
                set.Put(listener, bound);
            }
            catch (ListenException e)
            {
                failure = e.Message;
            }
            owner._main.Post(new Answer(owner, listener.Name, failure));
        }
    }

    private sealed class Answer(WorkerListeners owner, string name, string? failure) : Letter
    {
        protected internal override void Deliver() => owner.Answered(name, failure);
    }

    private sealed class Acting(ListenerSet set, Action<ListenerSet> action) : Letter
    {
        protected internal override void Deliver() => action(set);
    }
}
