namespace Lateen.Config.Sources.Kubernetes.Watching;

/// <summary>How long to leave a server alone that failed: longer each time, by a share of chance, so that many clients do not come back at
/// once.</summary>
public sealed class Backoff(Random chance, TimeSpan first, TimeSpan longest)
{
    private int _failures;

    public static Backoff Default(Random chance) => new(chance, TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(10));

    /// <summary>Failures since the last success.</summary>
    public int Failures => _failures;

    /// <summary>How long to wait after one more failure: between half and the whole of first × 2ⁿ.</summary>
    public TimeSpan Next()
    {
        var whole = Math.Min(first.Ticks * Math.Pow(2, Math.Min(_failures++, 30)), longest.Ticks);
        return TimeSpan.FromTicks((long)(whole * (0.5 + (chance.NextDouble() / 2))));
    }

    public void Succeeded() => _failures = 0;
}
