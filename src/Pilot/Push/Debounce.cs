namespace Lateen.Pilot.Push;

/// <summary>Gathers changes until it was quiet for a while, or until the first has waited long enough. Time comes in as an argument.</summary>
public sealed class Debounce(PushOptions options)
{
    private DateTimeOffset? _first;
    private DateTimeOffset _last;

    /// <summary>When <see cref="TryFire"/> should be asked next; null when nothing waits.</summary>
    public DateTimeOffset? DueAt
    {
        get
        {
            if (_first is not { } first) return null;
            var quiet = _last + options.DebounceQuiet;
            var latest = first + options.DebounceMax;
            return quiet < latest ? quiet : latest;
        }
    }

    /// <summary>Something changed.</summary>
    public void Note(DateTimeOffset now)
    {
        _first ??= now;
        _last = now;
    }

    /// <summary>True once when the time has come; the changes noted so far are then taken.</summary>
    public bool TryFire(DateTimeOffset now)
    {
        if (DueAt is not { } due || now < due) return false;
        _first = null;
        return true;
    }
}
