using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Lateen.Test.Rigs;
using Xunit;

namespace Lateen.Test.Real.Stands;

/// <summary>What a machine does to a user: a sentence each, and what to do; never a stack trace, and nothing lost.</summary>
public sealed class TroubleStand : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lateen-trouble-").FullName;

    public TroubleStand() => Directory.CreateDirectory(Path.Combine(_folder, "mesh"));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_port_that_is_taken()
    {
        Write(SmallMesh.Yaml);
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Any, 0));
        other.Listen();
        int port = ((IPEndPoint)other.LocalEndPoint!).Port;
        await RefusedAsync(await UpAsync("--port", Text(port)), $"port {port} is in use by another program",
            "Choose another one with --port.");
    }

    [Theory]
    [InlineData("metadata: [x\n", "not YAML", "mesh/mesh.yaml:")]
    [InlineData("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: a\nspec:\n  hosts: [a]\n  http:\n  - "
        + "rout: []\n", "did you mean \"route\"?", "mesh/mesh.yaml:8:5")]
    [InlineData("apiVersion: networking.istio.io/v1\nkind: VirtualServise\nmetadata:\n  name: a\n", "did you mean \"VirtualService\"?",
        "mesh/mesh.yaml:2")]
    public async Task A_file_with_a_mistake(string yaml, string what, string where)
    {
        Write(yaml);
        await RefusedAsync(await UpAsync(), what, where);
    }

    [Fact]
    public async Task A_folder_without_files()
    {
        CommandEnd end = await UpAsync();
        await RefusedAsync(end, "there is no .yaml, .yml or .json file in mesh");
        // `up` has no such option: to advise it would be a riddle.
        Assert.DoesNotContain("-R", end.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_is_not_there()
    {
        Write(SmallMesh.Service("web") + "---\n" + SmallMesh.Deployment("web", "v1", command: "no-such-program"));
        await RefusedAsync(await UpAsync(), "web-v1 cannot be started: no-such-program: No such file or directory");
    }

    [Fact]
    public async Task A_state_folder_that_cannot_be_made()
    {
        Write(SmallMesh.Yaml);
        await RefusedAsync(await UpAsync("--state", "mesh/mesh.yaml"), "a file of that name is in the way",
            "Choose another one with --state.");
        await RefusedAsync(await UpAsync("--state", "/proc/lateen"), "it cannot be made there");
    }

    [Fact]
    public async Task A_state_folder_without_rights()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess && File.Exists("/usr/bin/setpriv"),
            "it needs root, to give rights up, and setpriv");
        Write(SmallMesh.Yaml);
        File.SetUnixFileMode(_folder, (UnixFileMode)0b111_101_101);
        ProcessStartInfo start = Lateen.AsNobody(Lateen.Start(_folder, "up", "mesh", "--state", Path.Combine(_folder, "state")));
        await RefusedAsync(await Lateen.RunAsync(start), "its rights do not allow it", "Choose another one with --state.");
    }

    [Fact]
    public async Task A_disk_that_is_full_from_the_beginning()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(_folder, "8k");
        Write(SmallMesh.Yaml);
        await RefusedAsync(await UpAsync("--state", Path.Combine(disk.Folder, "state")), "is full");
    }

    [Fact]
    public async Task A_disk_that_gets_full_loses_nothing()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(_folder, "8m");
        Write(SmallMesh.Yaml);
        await using RunningMesh mesh = await RunningMesh.StartAsync(SmallMesh.Yaml, stateOn: disk.Folder);
        await mesh.ApplyAsync(SmallMesh.Subsets);
        disk.Fill();
        CommandEnd refused = await Lateen.RunAsync(Lateen.Start(mesh.Folder, "apply", "-f", "-"), SmallMesh.Route(("v2", 100)));
        await RefusedAsync(refused, "No space left on device");
        using (HttpResponseMessage answer = await mesh.Client.GetAsync(mesh.Page("/ratings/0"), TestContext.Current.CancellationToken))
            Assert.Equal(200, (int)answer.StatusCode);
        CommandEnd kept = await mesh.VerbAsync("get", "dr,vs", "-o", "yaml");
        Assert.Contains("version: v2", kept.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("subset: v2", kept.Out, StringComparison.Ordinal);
        disk.Free();
        await mesh.ApplyAsync(SmallMesh.Route(("v2", 100)));
        Assert.Contains("subset: v2", (await mesh.VerbAsync("get", "vs", "edge", "-o", "yaml")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_verb_without_a_mesh() =>
    await RefusedAsync(await Lateen.RunAsync(Lateen.Start(_folder, "get", "vs")), "no mesh found", "Start a mesh here with `lateen up`");

    [Fact]
    public async Task A_machine_without_the_sdk()
    {
        // The launcher of a clone that was never built, on a machine whose PATH leads to the system's own tools alone.
        File.Copy(Path.Combine(Repository.Root, "lateen"), Path.Combine(_folder, "lateen"));
        foreach (string part in new[] { "src", "samples" }) Directory.CreateDirectory(Path.Combine(_folder, part));
        string tools = Directory.CreateDirectory(Path.Combine(_folder, "tools")).FullName;
        foreach (string tool in new[] { "sh", "dirname", "find", "head", "mkdir", "sed", "tr", "grep" })
            File.CreateSymbolicLink(Path.Combine(tools, tool),
                new[] { "/usr/bin", "/bin" }.Select(place => Path.Combine(place, tool)).First(File.Exists));
        var start = new ProcessStartInfo("/bin/sh", [Path.Combine(_folder, "lateen"), "up"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.Environment["PATH"] = tools;
        await RefusedAsync(await Lateen.RunAsync(start), "there is no .NET SDK on this machine", "Install the .NET 10 SDK");
        await File.WriteAllTextAsync(Path.Combine(tools, "dotnet"),
            "#!/bin/sh\ncase $1 in --version) echo 8.0.100 ;; *) echo '8.0.100 [/usr/share/dotnet/sdk]' ;; esac\n",
            TestContext.Current.CancellationToken);
        File.SetUnixFileMode(Path.Combine(tools, "dotnet"), (UnixFileMode)0b111_101_101);
        await RefusedAsync(await Lateen.RunAsync(start), "must be built with the .NET 10 SDK; this machine has 8.0.100");
    }

    private void Write(string yaml) => File.WriteAllText(Path.Combine(_folder, "mesh", "mesh.yaml"), yaml);

    private Task<CommandEnd> UpAsync(params string[] more) =>
        Lateen.RunAsync(Lateen.Start(_folder,
            ["up", "mesh", .. more.Contains("--port") ? more : [.. more, "--port", Text(Lateen.FreePort())]]));

    private static Task RefusedAsync(CommandEnd end, params string[] said)
    {
        Assert.NotEqual(0, end.Code);
        foreach (string text in said) Assert.Contains(text, end.Error, StringComparison.Ordinal);
        // One sentence that begins with "error:", no trace, no exception's name, no key of a message that was left out.
        Assert.Single(end.Error.Split('\n'), line => line.StartsWith("error:", StringComparison.Ordinal));
        Assert.DoesNotMatch(@"^\s+at \w|Exception|\b[A-Z][A-Za-z]*_[A-Z]\w+, ", end.Error);
        return Task.CompletedTask;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A file system of a few bytes in memory.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private SmallDisk(string folder) => Folder = folder;

    public string Folder { get; }

    private string Filler => Path.Combine(Folder, "filler");

    public static async Task<SmallDisk> MountAsync(string within, string size)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "it needs root, to mount a small disk");
        string folder = Directory.CreateDirectory(Path.Combine(within, "disk")).FullName;
        Assert.SkipUnless(await CodeAsync("mount", "-t", "tmpfs", "-o", $"size={size}", "tmpfs", folder) == 0,
            "this machine does not let a small disk be mounted");
        return new SmallDisk(folder);
    }

    public void Fill()
    {
        using var file = new FileStream(Filler, FileMode.Create, FileAccess.Write, FileShare.Read, 1);
        byte[] page = new byte[512];
        try
        {
            while (true) file.Write(page);
        }
        catch (IOException)
        {
            // Full.
        }
    }

    public void Free() => File.Delete(Filler);

    public async ValueTask DisposeAsync() => await Lateen.UntilAsync(async () => await CodeAsync("umount", Folder) == 0, 5);

    private static async Task<int> CodeAsync(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        await process.WaitForExitAsync();
        return process.ExitCode;
    }
}
