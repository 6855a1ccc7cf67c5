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

    private static int Serve(EnvoyArguments arguments)
    {
        bool quiet = arguments.LogLevel is "off" or "critical" or "error";
        var over = new ManualResetEventSlim();
        int workers = arguments.Concurrency > 0 ? arguments.Concurrency : Environment.ProcessorCount;
        using var server = new ProxyServer(new ProxyInputs
        {
            Bootstrap = arguments.ConfigPath.Length > 0 ? File.ReadAllText(arguments.ConfigPath) : "",
            BootstrapFile = arguments.ConfigPath,
            Overlay = arguments.ConfigYaml,
            NodeId = arguments.ServiceNode,
            NodeCluster = arguments.ServiceCluster,
            LogFlushMicros = arguments.FlushMicros,
            Say = line =>
            {
                if (!quiet)
                    Console.Error.WriteLine(line);
            },
        }, new ThreadGround(workers, seed: 0, defect => Console.Error.WriteLine($"defect: {defect}")));
        if (arguments.ValidateOnly)
        {
            Console.WriteLine($"configuration '{arguments.ConfigPath}' OK");
            return 0;
        }
        string failure = "";
        server.Live = StartMemory.GiveBackLater;
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
        server.Start();
        over.Wait();
        return failure.Length > 0 ? Complain(failure) : 0;
    }

    private static void End(PosixSignalContext context, ManualResetEventSlim over)
    {
        context.Cancel = true;
        over.Set();
    }
}
