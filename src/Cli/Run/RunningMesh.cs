// Run: programs that join a mesh which `lateen up` runs, and a look at what runs in it. These verbs talk to `lateen up` over the socket in
// its state folder, never to the control plane: what runs on this machine is not configuration.
using Lateen.Cli.Up;

namespace Lateen.Cli.Run;

/// <summary>Finds the state folder of a running mesh.</summary>
internal static class RunningMesh
{
    /// <summary>The folder said, else LATEEN_STATE, else .lateen here or above.</summary>
    public static string Find(string? said)
    {
        if (said is not null) return Path.GetFullPath(said);
        if (Environment.GetEnvironmentVariable("LATEEN_STATE") is { Length: > 0 } named) return Path.GetFullPath(named);
        for (DirectoryInfo? folder = new(Directory.GetCurrentDirectory()); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, ".lateen");
            if (File.Exists(MeshState.ControlSocket(candidate))) return candidate;
        }
        return Path.GetFullPath(".lateen");
    }
}
