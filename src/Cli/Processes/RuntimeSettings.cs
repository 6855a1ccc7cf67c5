using System.Runtime.InteropServices;
using System.Text;

namespace Lateen.Cli.Processes;

/// <summary>
/// Settings of the runtime that are read before the first line of a program runs, for verbs that need others than a proxy. The process
/// becomes itself again, with the settings in its environment: process id, files and arguments stay.
/// </summary>
internal static partial class RuntimeSettings
{
    // A collector that works beside the program begins early and keeps little garbage: the same world takes a third less memory than with
    // one that stops it. A proxy, which makes no garbage while it serves, has no use for that thread.
    //
    // Young objects are collected each 4 MB. By itself the runtime goes by the processor's cache, which on a server would let 16 MB and
    // more of garbage lie.
    //
    // A control plane does much at once and then nothing for a while. What is compiled ahead serves it well; to compile a method anew,
    // twice, because it ran a thousand times while a hundred proxies connected, costs more than it will ever win. To count how often each
    // runs costs a quarter of all that it does, so that where everything is compiled ahead nothing is counted. And threads that look for
    // work before they sleep take the only core from the one that has some.
    private static readonly (string Name, string Value)[] OfControlPlane =
        [.. IsCompiledAhead ? [("DOTNET_TieredCompilation", "0")] : Counting, ("DOTNET_ThreadPool_UnfairSemaphoreSpinLimit", "0"),
            ("DOTNET_gcConcurrent", "1"), ("DOTNET_GCgen0size", "400000")];

    private static (string Name, string Value)[] Counting => [("DOTNET_TieredPGO", "0"), ("DOTNET_TC_CallCountThreshold", "30000")];

    // As `./lateen publish` does it: the program and the runtime's libraries in one.
    private static bool IsCompiledAhead => File.Exists(Path.Combine(AppContext.BaseDirectory, "lateen.r2r.dll"));

    /// <summary>Makes the settings of the control plane hold; returns when they do, or when they can't be had.</summary>
    public static void RequireControlPlanes()
    {
        (string Name, string Value)[] missing =
            [.. OfControlPlane.Where(setting => Environment.GetEnvironmentVariable(setting.Name) is null)];
        // Somebody who has set one of them has thought about it; and where the environment is not handed on, it is not tried a second time.
        if (missing.Length < OfControlPlane.Length || !OperatingSystem.IsLinux()) return;
        byte[][] arguments = [.. Encoding.UTF8.GetString(File.ReadAllBytes("/proc/self/cmdline"))[..^1].Split('\0').Select(Text)];
        byte[][] environment = [.. Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
            .Select(entry => Text($"{entry.Key}={entry.Value}")), .. missing.Select(setting => Text($"{setting.Name}={setting.Value}"))];
        Become(Text("/proc/self/exe"), arguments, environment);
    }

    private static unsafe void Become(byte[] program, byte[][] arguments, byte[][] environment)
    {
        fixed (byte* path = program)
            _ = Execute(path, Pointers(arguments), Pointers(environment));
    }

    // The memory lives as long as the process, which is no longer.
    private static unsafe byte** Pointers(byte[][] texts)
    {
        var all = (byte**)NativeMemory.AllocZeroed((nuint)(texts.Length + 1), (nuint)sizeof(byte*));
        for (int i = 0; i < texts.Length; i++)
        {
            all[i] = (byte*)NativeMemory.Alloc((nuint)texts[i].Length);
            texts[i].CopyTo(new Span<byte>(all[i], texts[i].Length));
        }
        return all;
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text + '\0');

    [LibraryImport("libc", EntryPoint = "execve")]
    private static unsafe partial int Execute(byte* path, byte** arguments, byte** environment);
}
