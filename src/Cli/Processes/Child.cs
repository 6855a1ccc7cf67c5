namespace Lateen.Cli.Processes;

/// <summary>A running program. Its group carries its number, so that what it started in turn is ended with it.</summary>
public sealed class Child
{
    private readonly TaskCompletionSource<int> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly bool _ownGroup;

    internal Child(int id, bool ownGroup) => (Id, _ownGroup) = (id, ownGroup);

    /// <summary>The process's number.</summary>
    public int Id { get; }

    /// <summary>Done when the program has ended, with its exit code; 128 + n where signal n ended it, as a shell says it.</summary>
    public Task<int> Ended => _ended.Task;

    /// <summary>Asks the program, and all of its group, to end.</summary>
    public void Terminate() => Send(Posix.SignalTerminate);

    /// <summary>Ends the program and all of its group.</summary>
    public void Kill() => Send(Posix.SignalKill);

    /// <summary>Asks the program to end, and ends it where it has not done so within <paramref name="patience"/>.</summary>
    public async Task StopAsync(TimeSpan patience)
    {
        Terminate();
        await Task.WhenAny(Ended, Task.Delay(patience)).ConfigureAwait(false);
        // What the program started in its group goes, too, even where the program itself went quietly.
        if (_ownGroup) _ = Posix.kill(-Id, Posix.SignalKill);
        else if (!Ended.IsCompleted) Kill();
        await Ended.ConfigureAwait(false);
    }

    internal void ReportEnd(int waitStatus)
    {
        int signal = waitStatus & 0x7f;
        _ended.TrySetResult(signal == 0 ? (waitStatus >> 8) & 0xff : 128 + signal);
    }

    // Once reaped the number may be another process's.
    private void Send(int signal)
    {
        if (!Ended.IsCompleted) _ = Posix.kill(_ownGroup ? -Id : Id, signal);
    }
}
