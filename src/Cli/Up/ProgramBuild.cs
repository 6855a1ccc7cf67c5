using Lateen.Cli.Processes;

namespace Lateen.Cli.Up;

/// <summary>A folder that holds a .NET project beside its YAML brings its programs as source: they are built when they changed, and found
/// by name.</summary>
internal sealed class ProgramBuild(Spawner spawner, MeshState state, Progress progress)
{
    /// <summary>Builds the folder's project, if there is one, and puts its programs into the PATH of what this process starts.</summary>
    /// <exception cref="CommandException">It does not build.</exception>
    public async Task BuildAsync(string folder, CancellationToken cancel)
    {
        string? project = Directory.EnumerateFiles(folder, "*.csproj").FirstOrDefault();
        if (project is null) return;
        string name = Path.GetFileNameWithoutExtension(project).ToLowerInvariant(), output = Output(name);
        if (IsStale(folder, output)) await PublishAsync(Path.GetFullPath(project), output, cancel).ConfigureAwait(false);
        Environment.SetEnvironmentVariable("PATH", $"{output}:{Environment.GetEnvironmentVariable("PATH")}");
    }

    // The launcher builds the samples of this repository together with the program itself and says where.
    private string Output(string name) =>
        Environment.GetEnvironmentVariable("LATEEN_PROGRAMS") is { Length: > 0 } built && Directory.Exists(Path.Combine(built, name))
            ? Path.Combine(built, name)
            : Path.Combine(state.Folder, "programs", name);

    private async Task PublishAsync(string project, string output, CancellationToken cancel)
    {
        string log = state.Log("build");
        progress.Done("building", project);
        try
        {
            Child build = await spawner.StartAsync(new ProcessSpec
            {
                Program = "dotnet",
                Arguments = ["publish", project, "-c", "Release", "-o", output, "--nologo", "-v", "quiet"],
                Log = log,
            }).ConfigureAwait(false);
            using CancellationTokenRegistration abandon = cancel.Register(build.Kill);
            int code = await build.Ended.ConfigureAwait(false);
            cancel.ThrowIfCancellationRequested();
            if (code != 0)
                throw new CommandException($"{project} does not build: {LogTail.Of(log)}", $"The compiler's messages are in {log}.");
        }
        catch (PosixException missing) when (missing.Errno == Posix.NoEntry)
        {
            throw new CommandException($"{project} must be built, and there is no .NET SDK on this machine",
                "Install the .NET 10 SDK: https://dotnet.microsoft.com/download.");
        }
    }

    private static bool IsStale(string folder, string output)
    {
        if (!Directory.Exists(output)
            || Directory.EnumerateFiles(output, "*.dll").Select(File.GetLastWriteTimeUtc).DefaultIfEmpty().Max() is var built
                && built == default) return true;
        return new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories)
            .Any(file => file.Extension is ".cs" or ".csproj" or ".css" or ".svg" && file.LastWriteTimeUtc > built);
    }
}
