namespace Lateen.Pilot.Push;

/// <summary>Gathers changes until it was quiet for a while, or until the first has waited long enough. Time comes in as an
/// argument.</summary>
/// <remarks>
/// Endpoints come and go all the time in a large mesh. They wait for quiet as well, but never long, and what is written does not wait for
/// theirs: a mesh under steady churn would have the longest delay as its usual one.
/// </remarks>
public sealed class Debounce(PushOptions options)
{
    private readonly Gathering _configuration = new(), _endpoints = new();

    /// <summary>When <see cref="TryFire"/> should be asked next; null when nothing waits.</summary>
    public DateTimeOffset? DueAt
    {
        get
        {
            var configuration = _configuration.DueAt(options.DebounceQuiet, options.DebounceMax);
            var endpoints = _endpoints.DueAt(options.DebouncesEndpoints ? options.DebounceQuiet : TimeSpan.Zero,
                options.DebounceMax < options.EndpointsMax ? options.DebounceMax : options.EndpointsMax);
            return configuration is null || endpoints < configuration ? endpoints : configuration;
        }
    }

    /// <summary>Something that is written changed.</summary>
    public void Note(DateTimeOffset now) => _configuration.Note(now);

    /// <summary>Endpoints or the workloads behind them changed.</summary>
    public void NoteEndpoints(DateTimeOffset now) => _endpoints.Note(now);

    /// <summary>True once when the time has come; the changes noted so far, of both sorts, are then taken.</summary>
    public bool TryFire(DateTimeOffset now)
    {
        if (DueAt is not { } due || now < due) return false;
        _configuration.Clear();
        _endpoints.Clear();
        return true;
    }

    private sealed class Gathering
    {
        private DateTimeOffset? _first;
        private DateTimeOffset _last;

        public DateTimeOffset? DueAt(TimeSpan quiet, TimeSpan longest)
        {
            if (_first is not { } first) return null;
            return _last + quiet < first + longest ? _last + quiet : first + longest;
        }

        public void Note(DateTimeOffset now)
        {
            _first ??= now;
            _last = now;
        }

        public void Clear() => _first = null;
    }
}
