using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Lateen.Cli.Processes;

namespace Lateen.Cli.Network;

/// <summary>
/// Transparent capture without root: this program runs once more as the owner of a user namespace and of a network in it, where it may do
/// to networks what root may do. What must be reached from outside is listened on before, by the process outside, and inherited: a
/// listening socket stays in the network where it was made (see <see cref="PassedDoors"/>).
/// </summary>
internal static class UserNamespace
{
    /// <summary>The variable by which the process inside knows where it is, and which doors it was given.</summary>
    public const string Inside = "LATEEN_INSIDE";

    private const int SetDescriptorFlags = 2; // F_SETFD

    /// <summary>True in the process that owns the namespace.</summary>
    public static bool IsInside => Environment.GetEnvironmentVariable(Inside) is { Length: > 0 };

    /// <summary>The namespace's path for other processes of this machine; null where there is none.</summary>
    public static string? Path => IsInside ? string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/ns/user") : null;

    /// <summary>Why this machine does not allow it; null where it does. Tried, not guessed: kernels, containers and distributions forbid it
    /// in many ways.</summary>
    public static async Task<string?> ObstacleAsync(Spawner spawner)
    {
        bool nft = TransparentCapture.UsesNft;
        string rules = nft
            ? "add table ip probe\nadd chain ip probe out { type nat hook output priority -100 ; }\nadd rule ip probe out meta mark "
                + "1337 return\nadd rule ip probe out meta l4proto tcp redirect to :15001\n"
                : "*nat\n-A OUTPUT -p tcp -m mark --mark 1337 -j RETURN\n-A OUTPUT -p tcp -j REDIRECT --to-ports 15001\nCOMMIT\n";
        string folder = Directory.CreateTempSubdirectory("lateen-probe-").FullName;
        try
        {
            string script = $"ip link set lo up && {(nft ? "nft -f -" : $"XTABLES_LOCKFILE={folder}/lock iptables-restore --noflush")}";
            var probe = new ProcessSpec
            {
                Program = "unshare",
                Arguments = ["--user", "--map-root-user", "--net", "/bin/sh", "-c", script],
                Input = rules,
                Log = System.IO.Path.Combine(folder, "log"),
            };
            return await spawner.RunAsync(probe).ConfigureAwait(false) == 0
                ? null : "it needs root, and user namespaces are not allowed here";
        }
        catch (PosixException)
        {
            return "it needs root, or the program unshare, which is not installed";
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Runs this program's command line inside until it ends, with doors at these ports of this machine.</summary>
    /// <returns>Its exit code.</returns>
    public static async Task<int> EnterAsync(Spawner spawner, IReadOnlyList<int> ports)
    {
        Socket[] doors = [.. Doors(ports)];
        foreach (Socket door in doors) Posix.Check(Posix.fcntl((int)door.Handle, SetDescriptorFlags, 0), "fcntl");
        (string program, string[] first) = Up.Workload.Self();
        var environment = Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
            .ToDictionary(pair => (string)pair.Key, pair => (string?)pair.Value ?? "");
        environment[Inside] = string.Join(',',
            doors.Select(door => string.Create(CultureInfo.InvariantCulture, $"{door.Handle}:{((IPEndPoint)door.LocalEndPoint!).Port}")));
        Child inside = await spawner.StartAsync(new ProcessSpec
        {
            Program = "unshare",
            Arguments = ["--user", "--map-root-user", "--net", program, .. first, .. Environment.GetCommandLineArgs().Skip(1)],
            Environment = environment,
            KeepsTerminal = true,
        }).ConfigureAwait(false);
        // From here on the doors are the other's.
        foreach (Socket door in doors) door.Dispose();
        using PosixSignalRegistration interrupt = HandOn(PosixSignal.SIGINT, inside), terminate = HandOn(PosixSignal.SIGTERM, inside),
            hangup = HandOn(PosixSignal.SIGHUP, inside);
        return await inside.Ended.ConfigureAwait(false);
    }

    /// <summary>Asks to be ended when the process outside ends, however that comes about.</summary>
    public static void EndWithParent() => Posix.Check(Posix.prctl(Posix.SetDeathSignal, Posix.SignalTerminate, 0, 0, 0), "prctl");

    // The gateway's ports are for everybody; the control plane's are this machine's own, at numbers that are free on both sides.
    private static IEnumerable<Socket> Doors(IReadOnlyList<int> ports)
    {
        foreach (int port in ports)
        {
            if (Listening(IPAddress.Any, port) is { } door) yield return door;
        }
        for (int i = 0; i < PassedDoors.ControlPlanePorts; i++) yield return Listening(IPAddress.Loopback, 0)!;
    }

    private static Socket? Listening(IPAddress address, int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(address, port));
            socket.Listen();
            return socket;
        }
        catch (SocketException) when (port != 0)
        {
            // Somebody else's: the mesh does without this door.
            socket.Dispose();
            return null;
        }
    }

    private static PosixSignalRegistration HandOn(PosixSignal signal, Child child) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        child.Terminate();
    });
}
