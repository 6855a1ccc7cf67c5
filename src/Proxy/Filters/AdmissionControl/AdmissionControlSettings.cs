namespace Lateen.Proxy.Filters.AdmissionControl;

/// <summary>A number with the runtime key that may change it.</summary>
/// <param name="Default">The value where the key says none.</param>
/// <param name="Key">The key; empty for none.</param>
public readonly record struct RuntimeNumber(double Default, string Key);

/// <summary>Which answers are successes.</summary>
public sealed class SuccessCriteria
{
    // OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION, OUT_OF_RANGE,
    // UNIMPLEMENTED, UNAUTHENTICATED:
    // fewer requests would not change them.
    private static readonly uint[] GrpcDefault = [0, 1, 2, 3, 5, 6, 7, 9, 11, 12, 16];

    private readonly (int Start, int End)[] _http;
    private readonly uint _grpc;

    /// <param name="http">Ranges of HTTP statuses, ends not included; null for all below 500.</param>
    /// <param name="grpc">gRPC statuses, 0 to 16; null for those that fewer requests would not change.</param>
    public SuccessCriteria(IEnumerable<(int Start, int End)>? http, IEnumerable<uint>? grpc)
    {
        _http = http is null ? [(0, 500)] : [.. http];
        foreach (uint code in grpc ?? GrpcDefault)
            _grpc |= 1u << (int)code;
    }

    /// <summary>True for a good HTTP status.</summary>
    public bool IsHttpSuccess(int status)
    {
        foreach ((int start, int end) in _http)
        {
            if (status >= start && status < end)
                return true;
        }
        return false;
    }

    /// <summary>True for a good gRPC status; unknown numbers are none.</summary>
    public bool IsGrpcSuccess(int code) => code is >= 0 and <= 16 && (_grpc >> code & 1) != 0;
}

/// <summary>When requests are refused.</summary>
public sealed record AdmissionControlSettings
{
    /// <summary>In force unless <see cref="EnabledKey"/> says otherwise.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>The runtime key of <see cref="Enabled"/>; empty for none.</summary>
    public string EnabledKey { get; init; } = "";

    /// <summary>What a success is.</summary>
    public SuccessCriteria Criteria { get; init; } = new(null, null);

    /// <summary>Seconds that are looked back, at least 1.</summary>
    public long WindowSeconds { get; init; } = 30;

    /// <summary>How steeply refusals grow; 1 is linear, less counts as 1.</summary>
    public RuntimeNumber Aggression { get; init; } = new(1, "");

    /// <summary>Percent of successes below which requests are refused.</summary>
    public RuntimeNumber SuccessPercent { get; init; } = new(95, "");

    /// <summary>Requests a second below which none is refused.</summary>
    public RuntimeNumber RequestsPerSecond { get; init; } = new(0, "");

    /// <summary>The most that is refused, in percent.</summary>
    public RuntimeNumber RejectionPercentMax { get; init; } = new(80, "");

    /// <summary>Values that may change the numbers.</summary>
    public RuntimeValues Runtime { get; init; } = RuntimeValues.None;

    /// <summary>The filter looks at requests now.</summary>
    public bool IsEnabled => Runtime.Flag(EnabledKey, Enabled);

    /// <summary>How probably the next request is refused, 0 to 1, after so many answers and successes.</summary>
    public double RejectionProbability(long requests, long successes)
    {
        double threshold = Math.Min(Percent(SuccessPercent), 100) / 100;
        double excess = (requests - successes / threshold) / (requests + 1);
        if (!(excess > 0))
            return 0;
        double aggression = Math.Max(1, Now(Aggression));
        return Math.Min(aggression == 1 ? excess : Math.Pow(excess, 1 / aggression), Percent(RejectionPercentMax) / 100);
    }

    /// <summary>The threshold of requests a second now.</summary>
    public double RequestsPerSecondNow => Now(RequestsPerSecond);

    private double Now(RuntimeNumber number) => Runtime.Real(number.Key, number.Default);

    // A percentage out of its range in runtime counts as none.
    private double Percent(RuntimeNumber number) => Now(number) is >= 0 and <= 100 and double percent ? percent : number.Default;
}
