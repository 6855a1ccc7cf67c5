namespace Lateen.Pilot.Push;

/// <summary>Bounds and delays of pushing, in one place.</summary>
public sealed record PushOptions
{
    /// <summary>How long it must be quiet before changes are compiled.</summary>
    public TimeSpan DebounceQuiet { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a change waits at most.</summary>
    public TimeSpan DebounceMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long endpoints wait at most.</summary>
    public TimeSpan EndpointsMax { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Endpoints wait for quiet at all (PILOT_ENABLE_EDS_DEBOUNCE).</summary>
    public bool DebouncesEndpoints { get; init; } = true;

    /// <summary>A node must be one that its identity may be (PILOT_ENABLE_XDS_IDENTITY_CHECK); otherwise nothing is known of who it
    /// is.</summary>
    public bool ChecksIdentity { get; init; } = true;

    /// <summary>How long changed listeners and routes wait for new clusters to get their endpoints, which a proxy may never ask
    /// for.</summary>
    public TimeSpan WarmingMax { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How many types one stream may watch.</summary>
    public int WatchedTypesMax { get; init; } = 32;

    /// <summary>How many names one stream may subscribe to in one type.</summary>
    public int NamesMax { get; init; } = 100_000;
}
