using System.Diagnostics;

namespace Lateen.Cli.Processes;

/// <summary>A program that is kept running until told to stop: when it ends it is started again, after a wait that grows while it keeps
/// ending.</summary>
public sealed class Supervised(string name, Spawner spawner, Func<ProcessSpec> spec, Action<string> say)
{
    private readonly RestartPolicy _policy = new();
    private readonly TaskCompletionSource _stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _loop = Task.CompletedTask;
    private Child? _child;

    /// <summary>What it is called in messages and in `lateen ps`.</summary>
    public string Name { get; } = name;

    /// <summary>The number of the process that runs now, or null between two.</summary>
    public int? ProcessId => _child is { Ended.IsCompleted: false } running ? running.Id : null;

    /// <summary>How often it has been started again.</summary>
    public int Restarts { get; private set; }

    /// <summary>Called after each start again, with the new process running.</summary>
    public Func<Task>? Restarted { get; init; }

    /// <summary>Starts it for the first time; from then on it is looked after.</summary>
    /// <exception cref="PosixException">It cannot be started at all.</exception>
    public async Task StartAsync()
    {
        _child = await spawner.StartAsync(spec()).ConfigureAwait(false);
        _loop = KeepAsync(_child);
    }

    /// <summary>Completes with the exit code when the process that runs now ends.</summary>
    public Task<int> CurrentEnd => _child?.Ended ?? Task.FromResult(0);

    /// <summary>Ends it for good.</summary>
    public async Task StopAsync(TimeSpan patience)
    {
        _stop.TrySetResult();
        if (_child is { } child) await child.StopAsync(patience).ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
    }

    private async Task KeepAsync(Child child)
    {
        long since = Stopwatch.GetTimestamp();
        while (true)
        {
            int code = await child.Ended.ConfigureAwait(false);
            if (_stop.Task.IsCompleted) return;
            child.Kill();
            TimeSpan wait = _policy.Next(Stopwatch.GetElapsedTime(since));
            say($"{Name} {Told(code)}; starting it again{(wait > TimeSpan.Zero ? $" in {wait.TotalSeconds:0.#} s" : "")}");
            (Child? next, since) = await AgainAsync(wait).ConfigureAwait(false);
            if (next is null) return;
            child = next;
            if (Restarted is not null) await Restarted().ConfigureAwait(false);
        }
    }

    private async Task<(Child?, long)> AgainAsync(TimeSpan wait)
    {
        while (true)
        {
            try
            {
                await Task.WhenAny(_stop.Task, Task.Delay(wait)).ConfigureAwait(false);
                if (_stop.Task.IsCompleted) return (null, 0);
                _child = await spawner.StartAsync(spec()).ConfigureAwait(false);
                Restarts++;
                if (!_stop.Task.IsCompleted) return (_child, Stopwatch.GetTimestamp());
                _child.Kill();
                return (null, 0);
            }
            catch (IOException failure)
            {
                wait = _policy.Next(TimeSpan.Zero);
                say($"{Name} does not start: {failure.Message}; next try in {wait.TotalSeconds:0.#} s");
            }
        }
    }

    private static string Told(int code) => code switch
    {
        0 => "ended",
        > 128 and < 193 => $"was ended by signal {code - 128}",
        _ => $"ended with code {code}",
    };
}
