using System.Text.Json;
using Lateen.ControlPlane;

namespace Lateen.Cli.Remote;

/// <summary>The folder a mesh keeps its state in, and how a verb finds the control plane through it.</summary>
public static class StateFolder
{
    private const string Name = ".lateen";

    /// <summary>The folder a control plane writes to: what was said, LATEEN_STATE, or .lateen here.</summary>
    public static string ForControlPlane(string? said) => Path.GetFullPath(said ?? FromEnvironment() ?? Name);

    /// <summary>The control plane's address, as it wrote it down when it began to listen.</summary>
    /// <exception cref="CommandException">No state folder, or none with a running control plane.</exception>
    public static ControlPlaneAddress Locate(string? said)
    {
        string folder = Find(said);
        string file = Path.Combine(folder, ControlPlaneAddress.FileName);
        try
        {
            return ControlPlaneAddress.Read(folder);
        }
        catch (Exception unreadable) when (unreadable is IOException or JsonException or UnauthorizedAccessException)
        {
            throw new CommandException($"no control plane is known in {folder}: {file} cannot be read",
                "Start a mesh with `lateen up`, or name its folder with --state.", CommandException.Unreachable);
        }
    }

    private static string Find(string? said)
    {
        if (said is not null) return Existing(said, "--state");
        if (FromEnvironment() is { } named) return Existing(named, "LATEEN_STATE");
        for (DirectoryInfo? folder = new(Directory.GetCurrentDirectory()); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, Name);
            if (File.Exists(Path.Combine(candidate, ControlPlaneAddress.FileName))) return candidate;
        }
        throw new CommandException($"no mesh found: there is no {Name} folder in {Directory.GetCurrentDirectory()} or above it",
            "Start a mesh here with `lateen up`, or name its folder with --state or LATEEN_STATE.", CommandException.Unreachable);
    }

    private static string Existing(string folder, string saidBy) => Directory.Exists(folder)
        ? Path.GetFullPath(folder)
        : throw new CommandException($"{saidBy} names {folder}, which is not there",
            "Start a mesh with `lateen up`, or correct the folder.", CommandException.Unreachable);

    private static string? FromEnvironment() => Environment.GetEnvironmentVariable("LATEEN_STATE") is { Length: > 0 } named ? named : null;
}
