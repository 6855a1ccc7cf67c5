using System.Runtime.InteropServices;

namespace Lateen.Proxy.Server;

/// <summary>A proxy as a process: command line, signals, exit code. What <c>envoy</c> is to Istio's agent.</summary>
public static class ProxyProcess
{
    /// <summary>The version that is told.</summary>
    public static string Version { get; } = typeof(ProxyProcess).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    /// <summary>Runs until it is told to stop.</summary>
    /// <returns>0 after an orderly end; 1 where the command line or the bootstrap is wrong.</returns>
    public static int Run(IReadOnlyList<string> args)
    {
        EnvoyArguments? arguments = EnvoyArguments.Parse(args, out string error);
        if (arguments is null)
            return Complain(error);
        if (arguments.Version || arguments.Help)
        {
            Console.WriteLine(arguments.Version ? $"lateen proxy version: {Version}" : EnvoyArguments.Usage);
            return 0;
        }
        try
        {
            return Serve(arguments);
        }
        catch (BootstrapException e)
        {
            return Complain(e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Complain($"{arguments.ConfigPath}: {e.Message}");
        }
    }

    private static int Complain(string message)
    {
        foreach (string line in message.Split('\n'))
            Console.Error.WriteLine($"error: {line}");
        return 1;
    }

    private static string BootstrapOf(string path)
    {
        if (path.Length == 0)
            return "";
        if (Directory.Exists(path))
            throw new BootstrapException($"{path} is a folder; --config-path (-c) takes a file");
        return File.Exists(path) ? File.ReadAllText(path) : throw new BootstrapException($"{path}: there is no such file");
    }

    private static int Serve(EnvoyArguments arguments)
    {
        bool quiet = arguments.LogLevel is "off" or "critical" or "error";
        var over = new ManualResetEventSlim();
        int workers = arguments.Concurrency > 0 ? arguments.Concurrency : Environment.ProcessorCount;
        var ground = new ThreadGround(workers, seed: 0, defect => Console.Error.WriteLine($"defect: {defect}"));
        using var server = new ProxyServer(new ProxyInputs
        {
            Bootstrap = BootstrapOf(arguments.ConfigPath),
            NeedsAdmin = true,
            Memory = Pressure.MemoryRoom.OfContainer(),
            BootstrapFile = arguments.ConfigPath,
            Overlay = arguments.ConfigYaml,
            NodeId = arguments.ServiceNode,
            NodeCluster = arguments.ServiceCluster,
            LogFlushMicros = arguments.FlushMicros,
            UnknownStatic = arguments.UnknownStatic,
            UnknownDynamic = arguments.UnknownDynamic,
            DrainPace = new Listeners.DrainPace(arguments.DrainSeconds * 1_000_000L, !arguments.DrainAtOnce),
            Say = line =>
            {
                if (!quiet)
                    Console.Error.WriteLine(line);
            },
        }, ground);
        if (arguments.ValidateOnly)
        {
            server.Validate();
            Console.WriteLine($"configuration '{arguments.ConfigPath}' OK");
            return 0;
        }
        string failure = "";
        server.Live += StartMemory.GiveBackLater;
        if (!quiet)
            server.Live += () => Console.Error.WriteLine(
                $"serving: {server.Listeners.All.Count} listeners, {workers} "
                + $"workers, {(server.AdminAddress.Kind == Net.AddressKind.None ? "no admin page" : $"admin page http://{server.AdminAddress}")}");
        server.Quit = over.Set;
        server.Failed = why =>
        {
            failure = why;
            over.Set();
        };
        // As Envoy: TERM and INT end it at once (who wants a drain asks the admin page first), USR1 opens logs anew.
        using PosixSignalRegistration term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, c => End(c, over));
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, c => End(c, over));
        using PosixSignalRegistration reopen = PosixSignalRegistration.Create((PosixSignal)10, c =>
        {
            c.Cancel = true;
            server.ReopenLogs();
        });
        // A proxy has no configuration of its own to read anew: as Envoy, it goes on.
        using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, static c => c.Cancel = true);
        if (TakeOver(arguments, ground, server) is { Length: > 0 } missing)
            return Complain(missing);
        using HotRestart.RestartParent? parent = arguments.DisableHotRestart ? null : HotRestart.RestartParent.Begin(
            RestartName(arguments, arguments.RestartEpoch), ground.ListeningSockets, () => server.GiveWay(), over.Set);
        if (parent is null && !arguments.DisableHotRestart && !quiet)
            Console.Error.WriteLine($"another process has base id {arguments.BaseId} and epoch {arguments.RestartEpoch}: this one "
                + $"can't be restarted hot, and where both serve a port, each gets a part of the connections (see --base-id, "
                    + $"--disable-hot-restart)");
        server.Start();
        over.Wait();
        return failure.Length > 0 ? Complain(failure) : 0;
    }

    private static string RestartName(EnvoyArguments arguments, int epoch) =>
        $"{(arguments.SocketPath.StartsWith('@') ? "" : "@")}{arguments.SocketPath}_{arguments.BaseId}_{epoch}";

    // The sockets of the process before us; it drains when we serve, and ends when its time is over.
    private static string TakeOver(EnvoyArguments arguments, ThreadGround ground, ProxyServer server)
    {
        if (arguments.RestartEpoch == 0 || arguments.DisableHotRestart)
            return "";
        HotRestart.RestartChild? before = HotRestart.RestartChild.Connect(RestartName(arguments, arguments.RestartEpoch - 1));
        if (before is null)
            return arguments.SkipMissingParent
                ? ""
                : $"--restart-epoch {arguments.RestartEpoch}: there is no process of epoch {arguments.RestartEpoch - 1} with base "
                    + $"id {arguments.BaseId}";
        ground.Inherit(before.TakeSockets());
        server.Live += () =>
        {
            before.Drain();
            server.Main.Arm(new ParentEnd(before), Math.Max(1, arguments.ParentShutdownSeconds * 1_000_000L));
        };
        return "";
    }

    // The process before us had its time: whoever still talks to it is cut off.
    private sealed class ParentEnd(HotRestart.RestartChild before) : Net.Deadline
    {
        protected internal override void OnDue(long now)
        {
            before.End();
            before.Dispose();
        }
    }

    private static void End(PosixSignalContext context, ManualResetEventSlim over)
    {
        context.Cancel = true;
        over.Set();
    }
}
