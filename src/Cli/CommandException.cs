namespace Lateen.Cli;

/// <summary>A command could not do its work: one sentence of what and why, one of what to do. Caught in one place,
/// <see cref="Commands.RunAsync"/>.</summary>
public sealed class CommandException(string message, string? remedy = null, int exitCode = CommandException.Refused) : Exception(message)
{
    /// <summary>The mesh said no.</summary>
    public const int Refused = 1;

    /// <summary>The command line was wrong (EX_USAGE of sysexits, istioctl's code too).</summary>
    public const int Misuse = 64;

    /// <summary>There is no control plane to talk to (EX_UNAVAILABLE).</summary>
    public const int Unreachable = 69;

    /// <summary>What to do about it.</summary>
    public string? Remedy { get; } = remedy;

    /// <summary>The exit code of the process.</summary>
    public int ExitCode { get; } = exitCode;
}
