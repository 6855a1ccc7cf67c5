namespace Lateen.ControlPlane.Ads;

/// <summary>Proxies whose streams ended lately. A bounded number is remembered: it is there to show who comes and goes, not who was ever
/// here.</summary>
public sealed class Departures
{
    /// <summary>How long a departure counts.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromMinutes(10);

    private const int RememberedMax = 1024;
    private readonly Queue<(string Proxy, DateTimeOffset At)> _departures = [];

    /// <summary>A proxy's stream ended.</summary>
    public void Note(string proxy, DateTimeOffset now)
    {
        if (_departures.Count == RememberedMax) _departures.Dequeue();
        _departures.Enqueue((proxy, now));
    }

    /// <summary>How often each went away lately, and when it last did.</summary>
    public Dictionary<string, (int Times, DateTimeOffset Last)> Lately(DateTimeOffset now)
    {
        while (_departures.TryPeek(out var oldest) && now - oldest.At > Memory) _departures.Dequeue();
        var lately = new Dictionary<string, (int, DateTimeOffset)>();
        foreach ((string proxy, DateTimeOffset at) in _departures)
            lately[proxy] = (lately.TryGetValue(proxy, out (int Times, DateTimeOffset) known) ? known.Times + 1 : 1, at);
        return lately;
    }
}
