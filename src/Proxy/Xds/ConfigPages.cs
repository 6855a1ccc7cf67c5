using Envoy.Admin.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.Proxy.Server;
using Lateen.Proxy.Xds.Admin;

namespace Lateen.Proxy.Xds;

/// <summary>Admin pages that tell of configuration: /config_dump, /clusters, /listeners, /certs, /server_info, /init_dump, /memory. Main
/// loop.</summary>
internal sealed class ConfigPages(ProxyServer server, ProxyAssembly assembly)
{
    private readonly ConfigDumpPage _dump = new(server, assembly);
    private readonly ClusterPage _clusters = new(server, assembly);
    private readonly CertificatePage _certificates = new(server, assembly);

    /// <summary>The pages.</summary>
    public IEnumerable<(string Path, Func<AdminRequest, AdminAnswer> Page)> All() =>
    [
        ("/config_dump", _dump.Answer),
        ("/clusters", _clusters.Answer),
        ("/certs", _certificates.Answer),
        ("/listeners", Listeners),
        ("/server_info", ServerInfo),
        ("/init_dump", InitDump),
        ("/memory", Memory),
    ];

    private AdminAnswer Listeners(AdminRequest request)
    {
        if (request.Query.GetValueOrDefault("format") != "json")
        {
            return AdminAnswer.Text(string.Concat(server.Listeners.All.Values.Select(
                l => string.Concat(l.AdditionalAddresses.Prepend(l.Address).Select(a => $"{l.Name}::{a}\n")))));
        }
        var message = new Envoy.Admin.V3.Listeners();
        foreach (Proxy.Listeners.Listener listener in server.Listeners.All.Values)
        {
            var status = new ListenerStatus { Name = listener.Name, LocalAddress = DumpSections.AddressOf(listener.Address) };
            status.AdditionalLocalAddresses.AddRange(listener.AdditionalAddresses.Select(a => DumpSections.AddressOf(a)));
            message.ListenerStatuses.Add(status);
        }
        return AdminAnswer.Json(MessageWriter.ToJson(message, options: WriterOptions.Envoy));
    }

    private AdminAnswer InitDump(AdminRequest request)
    {
        var dump = new UnreadyTargetsDumps();
        IEnumerable<string> waiting = assembly.Resources.Listeners.Where(l => l.IsWarming).Select(l => l.Message.Name);
        foreach (string name in waiting)
            dump.UnreadyTargetsDumps_.Add(
                new UnreadyTargetsDumps.Types.UnreadyTargetsDump { Name = $"listener {name}", TargetNames = { "routes" } });
        return AdminAnswer.Json(MessageWriter.ToJson(dump, options: WriterOptions.Envoy));
    }

    private static AdminAnswer Memory(AdminRequest request)
    {
        GCMemoryInfo heap = GC.GetGCMemoryInfo();
        return AdminAnswer.Json(MessageWriter.ToJson(new Memory
        {
            Allocated = (ulong)GC.GetTotalMemory(false),
            HeapSize = (ulong)heap.TotalCommittedBytes,
            PageheapFree = (ulong)Math.Max(0, heap.TotalCommittedBytes - heap.HeapSizeBytes),
            TotalPhysicalBytes = (ulong)Environment.WorkingSet,
        }, options: new WriterOptions { OriginalNames = true, Defaults = true }));
    }

    private AdminAnswer ServerInfo(AdminRequest request) => AdminAnswer.Json(MessageWriter.ToJson(new ServerInfo
    {
        Version = $"lateen/{ProxyProcess.Version}",
        State = server.State == ProxyState.Live && !server.IsHealthy
            ? Envoy.Admin.V3.ServerInfo.Types.State.Draining : (ServerInfo.Types.State)server.State,
        Node = assembly.Bootstrap.Node,
        HotRestartVersion = "disabled",
        UptimeAllEpochs = Uptime(),
        UptimeCurrentEpoch = Uptime(),
        CommandLineOptions = new CommandLineOptions
        {
            Concurrency = (uint)server.Workers.Count,
            ServiceNode = assembly.Bootstrap.Node.Id,
            ServiceCluster = assembly.Bootstrap.Node.Cluster,
            DrainStrategy = CommandLineOptions.Types.DrainStrategy.Gradual,
            Mode = CommandLineOptions.Types.Mode.Serve,
        },
    }, options: new WriterOptions { OriginalNames = true, Defaults = true }));

    private Duration Uptime() => Duration.FromTimeSpan(TimeSpan.FromSeconds((server.Main.WallClock - server.StartedAt) / 1_000_000));
}
