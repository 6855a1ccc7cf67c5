using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Listeners;

/// <summary>The listeners of one worker: its sockets, and which listener serves an address. Changes come as letters; a connection keeps the
/// listener it was accepted under.</summary>
public sealed class ListenerSet(Worker worker)
{
    private readonly Dictionary<string, Entry> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<Address, Entry> _byAddress = [];

    /// <summary>Connections accepted so far: the last one's number.</summary>
    internal long Connections { get; set; }

    private sealed class Entry(Listener listener)
    {
        public Listener Listener { get; set; } = listener;

        public List<ListeningSocket> Sockets { get; } = [];

        public long Active { get; set; }

        public bool Drained { get; set; }
    }

    /// <summary>The worker.</summary>
    public Worker Worker => worker;

    /// <summary>How connections end whose listener or chain is gone.</summary>
    public DrainPace Pace { get; set; } = DrainPace.Default;

    /// <summary>Open connections of a chain that was changed are served by the new one from their next request on, see
    /// <see cref="ChainHandler.HandOver"/>.</summary>
    public bool HandsOver { get; set; }

    /// <summary>What the overload manager wants.</summary>
    public OverloadSwitches Overload { get; init; } = OverloadSwitches.None;

    private bool Refuses(Listener listener, ListenerCounters.Row counters)
    {
        if (listener.BypassesOverload)
            return false;
        int share = Overload.RejectConnections;
        if (share > 0 && worker.Loop.Chance.NextULong() % OverloadSwitches.Whole < (ulong)share)
        {
            counters.OverloadRefused++;
            return true;
        }
        long most = Overload.ConnectionsMax;
        if (most <= 0 || listener.IgnoresConnectionLimit
            || _byName.Values.Sum(static e => e.Listener.IgnoresConnectionLimit
                ? 0 : e.Listener.Counters.Sum(static r => r.Accepted - r.Ended - r.Overflow)) < most)
            return false;
        counters.GlobalOverflow++;
        return true;
    }

    /// <summary>The listeners that serve now.</summary>
    public IEnumerable<Listener> All => _byName.Values.Select(e => e.Listener);

    /// <summary>Takes up a listener: binds it, or (where it is there with the same addresses) puts it in the old one's place without
    /// touching sockets or connections.</summary>
    /// <param name="listener">The listener.</param>
    /// <param name="bound">Its addresses, as far as they were bound before.</param>
    /// <exception cref="ListenException">An address can't be bound; nothing has changed then.</exception>
    public void Put(Listener listener, IReadOnlyDictionary<Address, BoundSocket>? bound = null)
    {
        if (_byName.TryGetValue(listener.Name, out Entry? old) && listener.SharesSocketsWith(old.Listener))
        {
            Listener before = old.Listener;
            old.Listener = listener;
            Succeed(before, listener);
            return;
        }
        var entry = new Entry(listener);
        try
        {
            if (listener.Binds)
                Bind(entry, bound);
        }
        catch (ListenException)
        {
            entry.Sockets.ForEach(s => s.Close());
            throw;
        }
        Entry? gone = TakeOut(listener.Name);
        _byName[listener.Name] = entry;
        foreach (Address address in listener.Addresses)
            _byAddress[address] = entry;
        if (gone is not null)
            LetGo(gone);
    }

    // What stayed goes on, what changed is drained.
    private void Succeed(Listener before, Listener listener)
    {
        var kept = new Dictionary<string, ListenerChain>(StringComparer.Ordinal);
        foreach (ListenerChain chain in ChainsOf(listener))
            kept.TryAdd(chain.Fingerprint, chain);
        foreach (ListenerChain chain in ChainsOf(before))
        {
            if (kept.TryGetValue(chain.Fingerprint, out ListenerChain? same))
            {
                same.Handler.Continue(worker, chain.Handler);
                continue;
            }
            Retire(chain, listener);
        }
    }

    /// <summary>Connections of a chain that is gone end in order; the listener in its place serves them meanwhile, where one is and
    /// may.</summary>
    internal void Retire(ListenerChain chain, Listener? successor)
    {
        if (HandsOver && successor is not null)
            chain.Handler.HandOver(worker, chain, successor);
        chain.Handler.Drain(worker, Pace);
    }

    /// <summary>What a listener has become: itself, the one in its place, or null where it was taken away.</summary>
    internal Listener? Now(Listener listener) =>
        _byName.TryGetValue(listener.Name, out Entry? entry) && listener.SharesSocketsWith(entry.Listener) ? entry.Listener : null;

    /// <summary>Who takes what came by a door, when the listener that it was handed to is gone; null where nobody does, or where
    /// connections stay with what they were accepted under.</summary>
    internal Listener? Heir(Listener door, ConnectionFacts facts)
    {
        if (!HandsOver || Now(door) is not { } open)
            return null;
        return open.HandsOver && facts.LocalRestored ? ForDestination(facts.Local) ?? open : open;
    }

    /// <summary>Whether a connection whose listener is gone may begin anew: its door is open, and its bytes are those that came
    /// by it.</summary>
    internal bool Takes(AcceptedConnection connection) => connection.Tls is null && Heir(connection.Door, connection.Facts) is not null;

    /// <summary>Serves a connection as if it had just been accepted. Who served it has forgotten it.</summary>
    internal void BeginAnew(AcceptedConnection connection)
    {
        Listener door = Now(connection.Door)!;
        door.Counters.Of(worker.Index).Accepted++;
        new Accepting(this, door, connection.Transport).Begin();
    }

    internal static IEnumerable<ListenerChain> ChainsOf(Listener listener) =>
        listener.Chains.Chains.Append(listener.Chains.Otherwise).OfType<ListenerChain>();

    /// <summary>Takes a listener away: no new connections, and those it has end in order.</summary>
    public void Remove(string name)
    {
        if (TakeOut(name) is { } entry)
            LetGo(entry);
    }

    private Entry? TakeOut(string name)
    {
        if (!_byName.Remove(name, out Entry? entry))
            return null;
        foreach (Address address in _byAddress.Where(p => ReferenceEquals(p.Value, entry)).Select(p => p.Key).ToArray())
            _byAddress.Remove(address);
        entry.Sockets.ForEach(s => s.Close());
        return entry;
    }

    // What nothing is under way on goes where it would go if it came now; the rest ends in order.
    private void LetGo(Entry entry)
    {
        if (HandsOver)
        {
            foreach (ListenerChain chain in ChainsOf(entry.Listener))
                chain.Handler.Release(this);
        }
        Drain(entry);
    }

    /// <summary>Nothing is accepted for a while, but by listeners that are exempt: clients wait in the kernel's queue.</summary>
    public void Pause(bool paused)
    {
        _paused = paused;
        foreach (Entry entry in _byName.Values.Where(static e => !e.Listener.BypassesOverload))
            entry.Sockets.ForEach(s => s.Accepting = !paused);
    }

    private bool _paused;

    /// <summary>Ends the connections of the listeners chosen in order; they accept further ones.</summary>
    public void Drain(Func<Listener, bool> which)
    {
        foreach (Entry entry in _byName.Values.Where(e => which(e.Listener)))
            Drain(entry);
    }

    /// <summary>Takes no new connections on the listeners chosen; those they have go on.</summary>
    public void Stop(Func<Listener, bool> which)
    {
        foreach (Entry entry in _byName.Values.Where(e => which(e.Listener)))
        {
            entry.Sockets.ForEach(s => s.Close());
            entry.Sockets.Clear();
        }
    }

    private void Drain(Entry entry)
    {
        entry.Drained = true;
        foreach (ListenerChain chain in ChainsOf(entry.Listener))
            chain.Handler.Drain(worker, Pace);
    }

    private void Bind(Entry entry, IReadOnlyDictionary<Address, BoundSocket>? bound)
    {
        foreach (Address address in entry.Listener.Addresses)
        {
            entry.Sockets.Add(worker.Loop.Listen(entry.Listener.Listening(address) with { Bound = bound?.GetValueOrDefault(address) },
                new Door(this, entry)));
            if (_paused && !entry.Listener.BypassesOverload)
                entry.Sockets[^1].Accepting = false;
        }
    }

    /// <summary>The listener for the address that a client meant: of exactly that address, else of its port on any address; null for none
    /// (RFC-less: Envoy's use_original_dst).</summary>
    public Listener? ForDestination(in Address address)
    {
        if (_byAddress.TryGetValue(address, out Entry? entry))
            return entry.Listener;
        Address any = address.Kind == AddressKind.V4 ? Address.V4(0, address.Port) : Address.V6(0, address.Port);
        if (_byAddress.TryGetValue(any, out entry))
            return entry.Listener;
        return address.Kind == AddressKind.V4 && _byAddress.TryGetValue(Address.V6(0, address.Port), out entry) ? entry.Listener : null;
    }

    private sealed class Door(ListenerSet set, Entry entry) : Acceptor
    {
        public override void OnAccepted(Transport transport)
        {
            Listener listener = entry.Listener;
            ListenerCounters.Row counters = listener.Counters.Of(set.Worker.Index);
            if (set.Refuses(listener, counters))
            {
                transport.Handler = new Discarding();
                transport.Close(abort: true);
                return;
            }
            if (listener.ConnectionsMax > 0
                && listener.Counters.Sum(static r => r.Accepted - r.Ended - r.Overflow) >= listener.ConnectionsMax)
            {
                counters.Overflow++;
                counters.Accepted++;
                transport.Handler = new Discarding();
                transport.Close(abort: true);
                return;
            }
            counters.Accepted++;
            new Accepting(set, listener, transport).Begin();
        }
    }

    private sealed class Discarding : TransportHandler
    {
        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason)
        {
        }
    }
}
