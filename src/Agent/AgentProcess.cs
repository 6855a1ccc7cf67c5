// Agent: the process beside a workload. It writes the proxy's bootstrap, is its way to the control plane, answers the workload's DNS
// queries, and tells whether all is ready; the proxy itself runs in the same process on worker threads of its own. It keeps no state but
// its folder, and everything it knows comes from its environment or from the control plane.
//
// Refused: two processes, as Istio has (twice the memory, and one has to watch the other); ASP.NET here (more than all the rest together).
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Lateen.Agent.Bootstrap;
using Lateen.Agent.Dns;
using Lateen.Agent.Secrets;
using Lateen.Agent.Status;
using Lateen.Proxy.Net;

namespace Lateen.Agent;

/// <summary>Runs an agent until it is told to end.</summary>
public static partial class AgentProcess
{
    /// <summary>The file that says that the proxy takes traffic; `lateen up` and `lateen run` wait for it.</summary>
    public const string ReadyFile = "ready";

    /// <summary>Where the bootstrap can be looked at.</summary>
    internal const string BootstrapFile = "etc/istio/proxy/envoy-rev.json";

    /// <summary>Runs; returns the process's exit code.</summary>
    public static int Run(AgentOptions options)
    {
        Directory.SetCurrentDirectory(options.Folder);
        int starter = Parent();
        Directory.CreateDirectory(Path.GetDirectoryName(BootstrapText.XdsSocket)!);
        File.WriteAllText(BootstrapFile, BootstrapText.Compose(options));
        Directory.CreateDirectory(Path.GetDirectoryName(options.Identity.Socket)!);
        using var proxy = new ProxyHost(options);
        DnsTable? names = options.DnsPort > 0 ? new DnsTable() : null;
        var services = new AgentServices(proxy.Main, options,
            new AgentPlaces(Address.Unix(options.Identity.Socket), Address.Unix(BootstrapText.XdsSocket), AgentFiles.Read), names,
            Console.Error.WriteLine);
        var readiness = new Readiness(options, () => proxy.IsLive);
        (AppProbes? read, string mistake) = AppProbes.Read(options.AppProbers, options.Program ?? "127.0.0.1");
        if (read is null)
        {
            Console.Error.WriteLine($"the agent of {options.Name} cannot start: ISTIO_KUBE_APP_PROBERS: {mistake}");
            return 1;
        }
        using AppProbes probes = read;
        try
        {
            proxy.Start();
            services.Start(refused => Fail(options, refused));
            new StatusServer(options, readiness, probes, proxy.Stop).Start();
            if (names is not null) new DnsServer(names, options.Mark == 0 ? DnsUpstream.FromFile() : new DnsUpstream([]),
                options.Mark).Start(IPAddress.Parse(options.LocalAddress), options.DnsPort);
        }
        catch (Exception refused) when (refused is IOException or SocketException)
        {
            Console.Error.WriteLine($"the agent of {options.Name} cannot start: {refused.Message}");
            return 1;
        }
        int code = proxy.AwaitEnd();
        if (Parent() != starter) EndProgram();
        return code;
    }

    // A socket that can't be made will not be made later: whoever started us has to hear of it.
    private static void Fail(AgentOptions options, string why)
    {
        Console.Error.WriteLine($"the agent of {options.Name} cannot start: {why}");
        Environment.Exit(1);
    }

    // The starter has gone without ending anything. The kernel has ended the program itself; what that had started is in its group.
    private static void EndProgram()
    {
        try
        {
            if (int.TryParse(File.ReadAllText("program"), CultureInfo.InvariantCulture, out int group) && group > 1) _ = kill(-group, 9);
        }
        catch (IOException)
        {
            // A gateway, or a program that was never started.
        }
    }

    private static int Parent() => getppid();

    [LibraryImport("libc")]
    private static partial int getppid();

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);
}
