// Printing: how answers look. With a terminal there is colour, without one (a pipe, a file, NO_COLOR) the same text without; columns never
// wrap, because they are read by eyes and by awk alike. Refused: boxes and rules round tables.
namespace Lateen.Cli.Printing;

/// <summary>The colours used, by meaning.</summary>
public enum Tone
{
    /// <summary>As the terminal has it.</summary>
    Plain,

    /// <summary>Well: synced, accepted, added.</summary>
    Good,

    /// <summary>Look at it: stale, a warning, changed.</summary>
    Doubtful,

    /// <summary>Wrong: refused, rejected, removed.</summary>
    Bad,

    /// <summary>A name to catch the eye.</summary>
    Strong,

    /// <summary>Beside the point: file and line, units.</summary>
    Faint,
}

/// <summary>Where a command writes: the answer, the complaints, and whether each may carry colour.</summary>
public sealed class Terminal(TextWriter output, TextWriter error, TextReader input, bool colour = false, bool errorColour = false)
{
    /// <summary>The answer.</summary>
    public TextWriter Out { get; } = output;

    /// <summary>Complaints and progress.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>What `-f -` reads.</summary>
    public TextReader In { get; } = input;

    /// <summary>True when the answer is read by a person at a terminal.</summary>
    public bool Interactive { get; } = colour;

    /// <summary>The process's own streams; colour where they are terminals and NO_COLOR is not set.</summary>
    public static Terminal OfProcess()
    {
        bool allowed = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
            && Environment.GetEnvironmentVariable("TERM") != "dumb";
        return new Terminal(System.Console.Out, System.Console.Error, System.Console.In,
            allowed && !System.Console.IsOutputRedirected, allowed && !System.Console.IsErrorRedirected);
    }

    /// <summary>One line of the answer.</summary>
    public void Line(string text = "") => Out.WriteLine(text);

    /// <summary><paramref name="text"/> in a colour, for the answer.</summary>
    public string Paint(string text, Tone tone) => Interactive ? Painted(text, tone) : text;

    /// <summary>What went wrong, and below it what to do.</summary>
    public void Complain(string what, string? remedy = null)
    {
        Error.WriteLine($"{(errorColour ? Painted("error:", Tone.Bad) : "error:")} {what}");
        if (remedy is not null) Error.WriteLine("  " + remedy);
    }

    /// <summary>Something to know that is not the answer.</summary>
    public void Remark(string text, Tone tone = Tone.Plain) => Error.WriteLine(errorColour ? Painted(text, tone) : text);

    private static string Painted(string text, Tone tone) => tone switch
    {
        Tone.Good => $"\e[32m{text}\e[0m",
        Tone.Doubtful => $"\e[33m{text}\e[0m",
        Tone.Bad => $"\e[31m{text}\e[0m",
        Tone.Strong => $"\e[1m{text}\e[0m",
        Tone.Faint => $"\e[2m{text}\e[0m",
        _ => text,
    };
}
