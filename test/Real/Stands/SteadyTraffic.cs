using System.Collections.Concurrent;
using System.Diagnostics;

namespace Lateen.Test.Real.Stands;

/// <summary>Requests at a steady rate over kept connections; every one is accounted for.</summary>
internal sealed class SteadyTraffic(HttpClient client, Uri page, int perSecond, int total)
{
    private readonly ConcurrentDictionary<string, int> _outcomes = new();
    private int _sent;

    /// <summary>How often each outcome came: a status with its first words, or what broke.</summary>
    public IReadOnlyDictionary<string, int> Outcomes => _outcomes;

    public int Good => _outcomes.GetValueOrDefault("200");

    public int Sent => Volatile.Read(ref _sent);

    public bool IsOver => Sent >= total;

    /// <summary>What went wrong, in words; empty where nothing did.</summary>
    public string Failures =>
        string.Join(", ", _outcomes.Where(outcome => outcome.Key != "200").Select(outcome => $"{outcome.Value} x {outcome.Key}"));

    /// <summary>Sends them all.</summary>
    public async Task RunAsync(CancellationToken cancel = default)
    {
        long since = Stopwatch.GetTimestamp();
        var underWay = new List<Task>();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (_sent < total && await timer.WaitForNextTickAsync(cancel))
        {
            // What a busy machine delayed is made up for, but never all at once.
            int due = (int)Math.Min(total, Stopwatch.GetElapsedTime(since).TotalSeconds * perSecond);
            for (int burst = 0; _sent < due && burst < 20; burst++)
            {
                Interlocked.Increment(ref _sent);
                underWay.Add(OneAsync(cancel));
            }
            underWay.RemoveAll(task => task.IsCompleted);
        }
        await Task.WhenAll(underWay);
    }

    private async Task OneAsync(CancellationToken cancel)
    {
        string outcome;
        try
        {
            using HttpResponseMessage answer = await client.GetAsync(page, cancel);
            string body = await answer.Content.ReadAsStringAsync(cancel);
            outcome = (int)answer.StatusCode == 200 ? "200" : $"{(int)answer.StatusCode} {body[..Math.Min(80, body.Length)]}";
        }
        catch (Exception broken) when (broken is HttpRequestException or TaskCanceledException)
        {
            outcome = $"broken: {broken.InnerException?.Message ?? broken.Message}";
        }
        _outcomes.AddOrUpdate(outcome, 1, (_, count) => count + 1);
    }
}
