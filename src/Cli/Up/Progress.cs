using System.Diagnostics;
using Lateen.Cli.Printing;

namespace Lateen.Cli.Up;

/// <summary>What `lateen up` tells while it works: a line for each thing that is done, with the time since the start.</summary>
internal sealed class Progress(Terminal terminal)
{
    private readonly long _since = Stopwatch.GetTimestamp();
    private readonly Lock _gate = new();

    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_since);

    /// <summary>Something is done.</summary>
    public void Done(string what, string how = "") =>
        Write($"{Elapsed.TotalSeconds,6:0.00} s  {what}{(how.Length > 0 ? "  " + how : "")}", Tone.Plain);

    /// <summary>Something happened to what runs.</summary>
    public void Event(string what) => Write($"{DateTime.Now:HH:mm:ss}  {what}", Tone.Doubtful);

    private void Write(string line, Tone tone)
    {
        lock (_gate) terminal.Remark(line, tone);
    }
}
