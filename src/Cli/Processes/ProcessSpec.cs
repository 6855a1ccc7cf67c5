namespace Lateen.Cli.Processes;

/// <summary>A program to start.</summary>
public sealed record ProcessSpec
{
    /// <summary>The program: a path, or a name to look for in PATH.</summary>
    public required string Program { get; init; }

    /// <summary>Its arguments, without its own name.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Its whole environment; null for this process's own.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>The folder it starts in; null for this process's own.</summary>
    public string? Folder { get; init; }

    /// <summary>A descriptor of the user namespace that owns <see cref="Network"/>; null where this process may enter it as it
    /// is.</summary>
    public int? Users { get; init; }

    /// <summary>A descriptor of the network namespace it runs in; null for this process's own.</summary>
    public int? Network { get; init; }

    /// <summary>The group it runs as; null for this process's own. Captured traffic is told from a sidecar's by this number.</summary>
    public uint? Group { get; init; }

    /// <summary>The file its output is appended to; null where it shares this process's terminal.</summary>
    public string? Log { get; init; }

    /// <summary>The file its number is written to once it runs; null for none.</summary>
    public string? NumberFile { get; init; }

    /// <summary>What the child reads as standard input: nothing, this process's own, or this text.</summary>
    public string? Input { get; init; }

    /// <summary>True where the child stays in this process's terminal group, so that Ctrl-C and job control reach it.</summary>
    public bool KeepsTerminal { get; init; }

    /// <summary>The signal it gets when the thread that started it ends.</summary>
    public int DeathSignal { get; init; } = Posix.SignalKill;
}
