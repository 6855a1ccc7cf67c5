using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Lateen.Cli.Processes;

/// <summary>Starts children. One thread forks, for the whole life of the process: the kernel sends the death signal when it ends.</summary>
public sealed class Spawner
{
    private const int ConfirmWithinMs = 3000;
    private readonly BlockingCollection<Action> _work = [];

    /// <summary>Starts the thread.</summary>
    public Spawner() => new Thread(Work, 256 << 10) { IsBackground = true, Name = "spawner" }.Start();

    /// <summary>Starts a program; returns when it runs.</summary>
    /// <exception cref="PosixException">It cannot be started: not there, not allowed, not a program.</exception>
    public Task<Child> StartAsync(ProcessSpec spec) => OnThread(() => Start(spec));

    /// <summary>Runs a short-lived program to its end.</summary>
    /// <exception cref="PosixException">It cannot be started.</exception>
    public async Task<int> RunAsync(ProcessSpec spec)
    {
        Child child = await StartAsync(spec).ConfigureAwait(false);
        return await child.Ended.ConfigureAwait(false);
    }

    /// <summary>Does <paramref name="action"/> on the thread that forks, which is never moved out of its namespaces by anything
    /// else.</summary>
    public Task<T> OnThread<T>(Func<T> action)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() =>
        {
            try { done.SetResult(action()); }
            catch (Exception failure) { done.SetException(failure); }
        });
        return done.Task;
    }

    private void Work()
    {
        foreach (Action action in _work.GetConsumingEnumerable()) action();
    }

    private Child Start(ProcessSpec spec)
    {
        string path = Find(spec.Program, spec.Folder);
        int log = spec.Log is null ? -1 : Posix.Open(spec.Log, Posix.WriteOnly | Posix.Create | Posix.Append);
        int input = spec.KeepsTerminal ? -1 : InputOf(spec.Input);
        try
        {
            using var image = new ExecImage(path, spec, input, log);
            var child = new Child(image.Fork(ConfirmWithinMs), ownGroup: !spec.KeepsTerminal);
            if (spec.NumberFile is not null)
                File.WriteAllText(spec.NumberFile, child.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));
            new Thread(() => Await(child), 128 << 10) { IsBackground = true, Name = "wait" }.Start();
            return child;
        }
        finally
        {
            if (log >= 0) _ = Posix.close(log);
            if (input >= 0) _ = Posix.close(input);
        }
    }

    // A thread for each child, because waiting for any child would race with the one that fork just made.
    private static unsafe void Await(Child child)
    {
        int status = 0;
        while (Posix.waitpid(child.Id, &status, 0) < 0 && Marshal.GetLastPInvokeError() == Posix.Interrupted) { }
        child.ReportEnd(status);
    }

    // Text goes in through a pipe: it must fit into the pipe's 64 KiB, since nobody stands by to refill it.
    private static unsafe int InputOf(string? text)
    {
        if (text is null) return Posix.Open("/dev/null", Posix.ReadOnly);
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(text);
        if (bytes.Length > 60_000) throw new InvalidOperationException("input of a child is larger than a pipe");
        int* ends = stackalloc int[2];
        Posix.Check(Posix.pipe2(ends, Posix.CloseOnExec), "pipe2");
        fixed (byte* start = bytes) _ = Posix.write(ends[1], start, bytes.Length);
        _ = Posix.close(ends[1]);
        return ends[0];
    }

    internal static string Find(string program, string? folder)
    {
        if (program.Contains('/')) return Path.GetFullPath(program, folder ?? Directory.GetCurrentDirectory());
        foreach (string place in (Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin").Split(':').Append("/usr/sbin")
            .Append("/sbin"))
        {
            string candidate = Path.Combine(place, program);
            if (File.Exists(candidate) && Posix.access(candidate, Posix.Executable) == 0) return candidate;
        }
        throw new PosixException(Posix.NoEntry, program);
    }
}
