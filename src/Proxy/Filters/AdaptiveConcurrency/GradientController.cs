// AdaptiveConcurrency: as many requests at once as the upstream serves without getting slower
// (envoy.extensions.filters.http.adaptive_concurrency.v3, gradient controller). Now and then the limit is lowered to a few for a while, and
// what answers take then is taken for the best there is; each interval the limit follows how much slower answers are than that. Each worker
// controls its own share of the traffic with a limit of its own: no lock, nothing shared; the limits of the configuration are divided among
// them. Off where no filter is configured.
// Never looks at the request. Refused: one limit for all workers, which would be a contended line for each request.
using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.AdaptiveConcurrency;

/// <summary>Settings of the gradient controller.</summary>
public sealed record GradientSettings
{
    /// <summary>Which of the samples of an interval counts, 0 to 1.</summary>
    public double Quantile { get; init; } = 0.5;

    /// <summary>Requests at once at most, over all workers.</summary>
    public int LimitMax { get; init; } = 1000;

    /// <summary>How often the limit is computed, in microseconds.</summary>
    public long UpdateMicros { get; init; } = 100_000;

    /// <summary>How often the best time is measured, in microseconds.</summary>
    public long BestMicros { get; init; } = 60_000_000;

    /// <summary>With how many samples.</summary>
    public int BestSamples { get; init; } = 50;

    /// <summary>At most this share is added to that interval, by chance.</summary>
    public double Jitter { get; init; } = 0.15;

    /// <summary>Requests at once while it is measured, over all workers.</summary>
    public int LimitMin { get; init; } = 3;

    /// <summary>So much slower than the best is not slower, as a share.</summary>
    public double Buffer { get; init; } = 0.25;
}

/// <summary>One worker's controller.</summary>
public sealed class GradientController
{
    private const int SamplesMax = 1024;

    private readonly GradientSettings _settings;
    private readonly int _limitMin, _limitMax;
    private readonly StatCells? _stats;
    private readonly long[] _samples = new long[SamplesMax];
    private int _count;
    private double _best;
    private long _updateAt, _measureAt, _measuredSince;
    private bool _measuring;

    /// <summary>What it counts and shows.</summary>
    public static readonly StatSchema Schema = new(
    [
        ("rq_blocked", StatKind.Counter), ("burst_queue_size", StatKind.Gauge), ("concurrency_limit", StatKind.Gauge),
        ("gradient", StatKind.Gauge),
        ("min_rtt_calculation_active", StatKind.Gauge), ("min_rtt_msecs", StatKind.Gauge), ("sample_rtt_msecs", StatKind.Gauge),
    ]);

    private const int Blocked = 0, Headroom = 1, LimitGauge = 2, GradientGauge = 3, Measuring = 4, BestGauge = 5, SampleGauge = 6;

    /// <summary>A controller of one of some workers; it begins by measuring.</summary>
    public GradientController(GradientSettings settings, int workers, StatCells? stats = null)
    {
        _settings = settings;
        _limitMin = Math.Max(1, settings.LimitMin / workers);
        _limitMax = Math.Max(_limitMin, settings.LimitMax / workers);
        _stats = stats;
        Limit = _limitMin;
        _measuring = true;
    }

    /// <summary>Requests at once that are let in now.</summary>
    public int Limit { get; private set; }

    /// <summary>Requests that are in.</summary>
    public int Active { get; private set; }

    /// <summary>Takes a request in; false where there are too many.</summary>
    public bool TryEnter(long now, Chance chance)
    {
        Advance(now, chance);
        if (Active >= Limit)
        {
            _stats?.Count(Blocked);
            return false;
        }
        Active++;
        return true;
    }

    /// <summary>A request is over; how long it took counts, unless it was given up (-1).</summary>
    public void Leave(long now, long micros, Chance chance)
    {
        Active--;
        if (micros >= 0 && _count < SamplesMax)
            _samples[_count++] = micros;
        if (_measuring && _count >= _settings.BestSamples)
            EndMeasuring(now, chance);
        else
            Advance(now, chance);
    }

    private void EndMeasuring(long now, Chance chance)
    {
        _measuring = false;
        _best = Math.Max(1, Sample());
        Limit = _limitMin;
        double jitter = 1 + (_settings.Jitter * (chance.NextULong() % 1000 / 1000.0));
        _measureAt = now + (long)(_settings.BestMicros * jitter);
        _updateAt = now + _settings.UpdateMicros;
        _stats?.Set(Measuring, 0);
        _stats?.Set(BestGauge, (long)(_best / 1000));
        Tell();
    }

    private void Advance(long now, Chance chance)
    {
        if (_measuring)
        {
            if (_measuredSince == 0)
                _measuredSince = now;
            // Too little traffic to tell: with what there is, after as long as the next measurement would wait.
            else if (now - _measuredSince > _settings.BestMicros && _count > 0)
                EndMeasuring(now, chance);
            return;
        }
        if (now >= _measureAt)
        {
            _measuring = true;
            _measuredSince = now;
            _count = 0;
            Limit = _limitMin;
            _stats?.Set(Measuring, 1);
            Tell();
            return;
        }
        if (now < _updateAt)
            return;
        _updateAt = now + _settings.UpdateMicros;
        if (_count > 0)
            Update();
    }

    // The limit follows the ratio of the best time to the present one, with room for a queue of the limit's root, so that it can grow.
    private void Update()
    {
        double sample = Math.Max(1, Sample());
        double gradient = Math.Clamp(_best * (1 + _settings.Buffer) / sample, 0.5, 2.0);
        double limit = Limit * gradient, room = Math.Sqrt(limit);
        Limit = (int)Math.Clamp(limit + room, _limitMin, _limitMax);
        _stats?.Set(SampleGauge, (long)(sample / 1000));
        _stats?.Set(GradientGauge, (long)(gradient * 1000));
        _stats?.Set(Headroom, (long)room);
        Tell();
    }

    private void Tell() => _stats?.Set(LimitGauge, Limit);

    private double Sample()
    {
        Span<long> samples = _samples.AsSpan(0, _count);
        samples.Sort();
        double sample = samples[Math.Min(samples.Length - 1, (int)(samples.Length * _settings.Quantile))];
        _count = 0;
        return sample;
    }
}
