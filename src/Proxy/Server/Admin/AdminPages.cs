namespace Lateen.Proxy.Server;

/// <summary>The admin pages by path, as Envoy has them. Main loop.</summary>
public sealed class AdminPages
{
    private const string NoProfiler = "The current build does not support profiling: attach dotnet-trace or dotnet-gcdump to the process";

    private readonly ProxyServer _server;
    private readonly Dictionary<string, Func<AdminRequest, AdminAnswer>> _pages;
    private readonly HashSet<string> _post = [.. AdminHelp.Envoy.Where(h => h.Post).Select(h => h.Path)];

    /// <summary>The pages of a proxy.</summary>
    public AdminPages(ProxyServer server)
    {
        _server = server;
        var statistics = new StatPages(server.Statistics);
        var decisions = new DecisionPages(server, server.Decisions);
        var runtime = new RuntimePages(server.Assembly.Translation.Runtime);
        _pages = new(StringComparer.Ordinal)
        {
            ["/"] = _ => new AdminAnswer(200, "text/html; charset=UTF-8", System.Text.Encoding.UTF8.GetBytes(AdminHelp.Home)),
            ["/allocprofiler"] = _ => AdminAnswer.Text(NoProfiler, 501),
            ["/contention"] = _ => AdminAnswer.Text(
                "Mutex contention tracing is not enabled. To enable, run Envoy with flag --enable-mutex-tracing."),
            ["/cpuprofiler"] = _ => AdminAnswer.Text(NoProfiler, 501),
            ["/decisions"] = decisions.Decisions,
            ["/drain_listeners"] = Drain,
            ["/explain"] = decisions.Explain,
            ["/healthcheck/fail"] = _ => Health(false),
            ["/healthcheck/ok"] = _ => Health(true),
            ["/heap_dump"] = _ => AdminAnswer.Text(NoProfiler, 501),
            ["/heapprofiler"] = _ => AdminAnswer.Text(NoProfiler, 501),
            ["/help"] = _ => AdminAnswer.Text(AdminHelp.Text),
            ["/hot_restart_version"] = _ => AdminAnswer.Text("disabled"),
            ["/logging"] = new LoggerPages(level => server.IsQuiet = level is "error" or "critical" or "off").Answer,
            ["/memory/tcmalloc"] = _ => AdminAnswer.Text("This build does not use TCMalloc: see /memory\n"),
            ["/peak_heap_dump"] = _ => AdminAnswer.Text(NoProfiler, 501),
            ["/quitquitquit"] = _ => QuitNow(),
            ["/ready"] = _ => Ready(),
            ["/reopen_logs"] = _ => Reopen(),
            ["/reset_counters"] = statistics.Reset,
            ["/runtime"] = runtime.Show,
            ["/runtime_modify"] = runtime.Modify,
            ["/stats"] = statistics.Stats,
            ["/stats/prometheus"] = statistics.Prometheus,
            ["/stats/recentlookups"] = statistics.RecentLookups,
            ["/stats/recentlookups/clear"] = _ => statistics.TrackLookups(null),
            ["/stats/recentlookups/disable"] = _ => statistics.TrackLookups(false),
            ["/stats/recentlookups/enable"] = _ => statistics.TrackLookups(true),
            ["/why"] = decisions.Why,
        };
        foreach ((string path, Func<AdminRequest, AdminAnswer> page) in server.Assembly.Pages())
            _pages[path] = page;
    }

    /// <summary>Answers a request.</summary>
    public AdminAnswer Answer(AdminRequest request)
    {
        if (!_pages.TryGetValue(request.Path, out Func<AdminRequest, AdminAnswer>? page))
            return AdminAnswer.Text($"invalid path. {AdminHelp.Text}", 404);
        if (_post.Contains(request.Path) && request.Method != "POST")
            return AdminAnswer.Text($"Method {request.Method} not allowed, POST required.", 405);
        return page(request);
    }

    private AdminAnswer Ready()
    {
        string text = _server.State switch
        {
            ProxyState.Live when !_server.IsHealthy => "DRAINING",
            ProxyState.Live => "LIVE",
            ProxyState.Draining => "DRAINING",
            ProxyState.PreInitializing => "PRE_INITIALIZING",
            _ => "INITIALIZING",
        };
        return AdminAnswer.Text(text + "\n", text == "LIVE" ? 200 : 503);
    }

    private AdminAnswer Health(bool healthy)
    {
        _server.IsHealthy = healthy;
        return AdminAnswer.Text("OK\n");
    }

    private AdminAnswer Drain(AdminRequest request)
    {
        // Graceful: connections are told to go, and listeners accept until they are closed.
        _server.Drain(request.Query.ContainsKey("inboundonly"), close: !request.Query.ContainsKey("graceful"),
            stay: request.Query.ContainsKey("skip_exit"));
        return AdminAnswer.Text("OK\n");
    }

    private AdminAnswer Reopen()
    {
        _server.ReopenLogs();
        return AdminAnswer.Text("OK\n");
    }

    private AdminAnswer QuitNow()
    {
        _server.Quit?.Invoke();
        return AdminAnswer.Text("OK\n");
    }
}
