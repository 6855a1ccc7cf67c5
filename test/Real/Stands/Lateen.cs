// Stands: the program as users run it, with real processes, sockets, disks and signals. Each test starts `lateen` as a child and looks at
// it from outside alone; nothing here reaches into the product's classes. What takes longer than some seconds runs in full only with
// LATEEN_LONG=1. Everything started is ended, whatever a test does.
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Lateen.Test.Rigs;

namespace Lateen.Test.Real.Stands;

/// <summary>What a command said and how it ended.</summary>
internal sealed record CommandEnd(int Code, string Out, string Error)
{
    public override string ToString() => $"exit code {Code}\n{Out}{Error}";
}

/// <summary>The program, built beside these tests.</summary>
internal static partial class Lateen
{
    public static bool IsLong => Environment.GetEnvironmentVariable("LATEEN_LONG") == "1";

    private static string Configuration { get; } = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));

    public static string Program { get; } = Path.Combine(Repository.Root, ".build", "bin", "Cli", Configuration, "lateen");

    /// <summary>The folder of the demo's program.</summary>
    public static string Samples { get; } = Path.Combine(Repository.Root, ".build", "bin", "Bookinfo", Configuration);

    private static readonly Lazy<string> Programs = new(() =>
    {
        string folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, "programs")).FullName,
            link = Path.Combine(folder, "bookinfo");
        if (!Directory.Exists(link)) Directory.CreateSymbolicLink(link, Samples);
        return folder;
    });

    public static ProcessStartInfo Start(string? folder, params string[] arguments)
    {
        var start = new ProcessStartInfo(Program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = folder ?? Path.GetTempPath(),
        };
        start.Environment["PATH"] = $"{Samples}:{start.Environment["PATH"]}";
        start.Environment.Remove("LATEEN_STATE");
        // The demo's program is built already; where the launcher would have put it is a folder by its name.
        start.Environment["LATEEN_PROGRAMS"] = Programs.Value;
        return start;
    }

    /// <summary>The same command as a user without any right.</summary>
    public static ProcessStartInfo AsNobody(ProcessStartInfo start)
    {
        if (!Environment.IsPrivilegedProcess) return start;
        foreach (string argument in new[] { start.FileName, "--clear-groups", "--regid=65534", "--reuid=65534" })
            start.ArgumentList.Insert(0, argument);
        start.FileName = "/usr/bin/setpriv";
        start.Environment["HOME"] = start.WorkingDirectory;
        return start;
    }

    /// <summary>Why nobody could own a network here; null where that is possible.</summary>
    public static async Task<string?> NobodysObstacleAsync()
    {
        if (Environment.IsPrivilegedProcess && !File.Exists("/usr/bin/setpriv")) return "it needs setpriv";
        var probe = new ProcessStartInfo("unshare", ["--user", "--map-root-user", "--net", "iptables-restore", "--noflush"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = "/",
        };
        probe.Environment["XTABLES_LOCKFILE"] = Path.Combine(Path.GetTempPath(), $"lateen-{Environment.ProcessId}.lock");
        try
        {
            return (await RunAsync(AsNobody(probe), "*nat\n-A OUTPUT -p tcp -m mark --mark 1 -j RETURN\nCOMMIT\n")).Code == 0
                ? null : "user namespaces are not allowed here";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "it needs unshare";
        }
    }

    /// <summary>Runs a command to its end.</summary>
    public static async Task<CommandEnd> RunAsync(ProcessStartInfo start, string? input = null, int withinSeconds = 60)
    {
        using Process process = Process.Start(start)!;
        Task<string> said = process.StandardOutput.ReadToEndAsync(), complained = process.StandardError.ReadToEndAsync();
        if (input is not null) await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(withinSeconds));
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{start.FileName} {string.Join(' ', start.ArgumentList)} did not end within {withinSeconds} s");
        }
        return new CommandEnd(process.ExitCode, await said, await complained);
    }

    /// <summary>A port that nothing listens on now.</summary>
    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Any, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    public static void Signal(int process, int signal) => _ = kill(process, signal);

    /// <summary>True while a process of that number is there and has not ended.</summary>
    public static bool Lives(int process)
    {
        try
        {
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/stat"));
            return stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Waits for what another process does; it can't be waited for otherwise.</summary>
    public static async Task<bool> UntilAsync(Func<bool> condition, double withinSeconds = 15) =>
        await UntilAsync(() => Task.FromResult(condition()), withinSeconds);

    /// <summary>Waits for what another process does.</summary>
    public static async Task<bool> UntilAsync(Func<Task<bool>> condition, double withinSeconds = 15)
    {
        long since = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (Stopwatch.GetElapsedTime(since).TotalSeconds < withinSeconds)
        {
            if (await condition()) return true;
            await timer.WaitForNextTickAsync();
        }
        return await condition();
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int process, int signal);
}
