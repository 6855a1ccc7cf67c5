using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Server;

/// <summary>
/// Addresses that the main loop bound for listeners: who sends a listener hears at once that its address can't be had. Where workers have
/// sockets of their own (SO_REUSEPORT) an address is held until they do; where they share one, for as long as the listener accepts. Main
/// loop.
/// </summary>
internal sealed class HeldAddresses(EventLoop main, IReadOnlyList<Worker> workers)
{
    private static readonly Dictionary<Address, BoundSocket> Nothing = [];

    private readonly Dictionary<string, Dictionary<Address, BoundSocket>> _byListener = new(StringComparer.Ordinal);

    // Shared sockets of listeners that workers still have to leave: a listener that comes back to an address takes them up again.
    private readonly Dictionary<Address, BoundSocket> _leaving = [];

    /// <summary>What is held for a listener, by address.</summary>
    public IReadOnlyDictionary<Address, BoundSocket> Of(string name) => _byListener.GetValueOrDefault(name) ?? Nothing;

    /// <summary>Binds a listener's addresses. Null, or in Envoy's words why not; nothing is held for it then beyond what was.</summary>
    public string? Take(Listener listener)
    {
        Dictionary<Address, BoundSocket> before = _byListener.GetValueOrDefault(listener.Name) ?? Nothing, held = [];
        try
        {
            foreach (Address address in listener.Addresses)
                Take(listener, address, before, held);
        }
        catch (ListenException e)
        {
            Close(held.Where(h => !before.ContainsValue(h.Value)).Select(h => h.Value));
            return e.Message;
        }
        // Workers may be on their way to what they listened on until now.
        BoundSocket[] gone = [.. before.Values.Except(held.Values)];
        if (gone.Length > 0)
            new WorkerFence(main, workers).Then(() => Close(gone));
        _byListener[listener.Name] = held;
        return null;
    }

    private void Take(Listener listener, Address address, Dictionary<Address, BoundSocket> before, Dictionary<Address, BoundSocket> held)
    {
        if (workers.Any(w => w.Loop.Inherits(address)) || held.ContainsKey(address))
            return;
        if (before.TryGetValue(address, out BoundSocket? kept) || _leaving.Remove(address, out kept))
            held[address] = kept;
        else if (main.Bind(listener.Listening(address)) is { } bound)
            held[address] = bound;
    }

    /// <summary>All workers serve the listener: addresses of which each has its own socket need no holding.</summary>
    public void Settle(string name)
    {
        if (!_byListener.TryGetValue(name, out Dictionary<Address, BoundSocket>? held))
            return;
        foreach ((Address address, BoundSocket socket) in held.Where(h => !h.Value.IsShared).ToArray())
        {
            held.Remove(address);
            socket.Dispose();
        }
        if (held.Count == 0)
            _byListener.Remove(name);
    }

    /// <summary>Workers were told to leave a listener.</summary>
    public void Leave(string name)
    {
        if (!_byListener.Remove(name, out Dictionary<Address, BoundSocket>? held))
            return;
        foreach ((Address address, BoundSocket socket) in held)
            _leaving[address] = socket;
        new WorkerFence(main, workers).Then(() => Close(held.Where(h => _leaving.Remove(h.Key)).Select(h => h.Value)));
    }

    private static void Close(IEnumerable<BoundSocket> sockets)
    {
        foreach (BoundSocket socket in sockets.ToArray())
            socket.Dispose();
    }
}
