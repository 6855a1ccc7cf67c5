namespace Lateen.Proxy.Server;

/// <summary>The admin pages by path, as Envoy has them. Main loop.</summary>
public sealed class AdminPages
{
    private readonly ProxyServer _server;
    private readonly SortedDictionary<string, (string Help, bool Post, Func<AdminRequest, AdminAnswer> Page)> _pages;

    /// <summary>The pages of a proxy.</summary>
    public AdminPages(ProxyServer server)
    {
        _server = server;
        _pages = new(StringComparer.Ordinal)
        {
            ["/drain_listeners"] = ("drain listeners", true, Drain),
            ["/healthcheck/fail"] = ("cause the server to fail health checks", true, _ => Health(false)),
            ["/healthcheck/ok"] = ("cause the server to pass health checks", true, _ => Health(true)),
            ["/help"] = ("print out list of admin commands", false, _ => Help()),
            ["/quitquitquit"] = ("exit the server", true, _ => QuitNow()),
            ["/ready"] = ("print server state, return 200 if LIVE, otherwise return 503", false, _ => Ready()),
            ["/reopen_logs"] = ("reopen access logs", true, _ => Reopen()),
        };
        var statistics = new StatPages(server.Statistics);
        _pages["/stats"] = ("print server stats", false, statistics.Stats);
        _pages["/stats/prometheus"] = ("print server stats in prometheus format", false, statistics.Prometheus);
        _pages["/stats/recentlookups"] = ("Show recent stat-name lookups", false, statistics.RecentLookups);
        _pages["/stats/recentlookups/clear"] = ("clear list of stat-name lookups and counter", true, _ => statistics.TrackLookups(null));
        _pages["/stats/recentlookups/disable"] = ("disable recording of reset stat-name lookup names", true, _ => statistics.TrackLookups(false));
        _pages["/stats/recentlookups/enable"] = ("enable recording of reset stat-name lookup names", true, _ => statistics.TrackLookups(true));
        _pages["/reset_counters"] = ("reset all counters to zero", true, statistics.Reset);
        var decisions = new DecisionPages(server, server.Decisions);
        _pages["/decisions"] = ("the last decisions, newest first; ?status= ?route= ?peer=", false, decisions.Decisions);
        _pages["/explain"] = ("what would serve a request: ?method= ?url= ?header= ?address=", false, decisions.Explain);
        _pages["/why"] = ("what became of a request: ?id=", false, decisions.Why);
        foreach ((string path, string help, Func<AdminRequest, AdminAnswer> page) in server.Assembly.Pages())
            _pages[path] = (help, false, page);
    }

    /// <summary>Answers a request.</summary>
    public AdminAnswer Answer(AdminRequest request)
    {
        if (request.Path is "/")
            return Help();
        if (!_pages.TryGetValue(request.Path, out (string Help, bool Post, Func<AdminRequest, AdminAnswer> Page) page))
            return AdminAnswer.Text($"invalid path. {HelpText()}", 404);
        if (page.Post && request.Method != "POST")
            return AdminAnswer.Text($"Method {request.Method} not allowed, POST required.", 405);
        return page.Page(request);
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
        _server.Drain(request.Query.ContainsKey("inboundonly"), close: !request.Query.ContainsKey("graceful"));
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

    private AdminAnswer Help() => AdminAnswer.Text(HelpText());

    private string HelpText() => "admin commands are:\n  /: Admin home page\n" + string.Concat(_pages.Select(p => $"  {p.Key}{(p.Value.Post ? " (POST)" : "")}: {p.Value.Help}\n"));
}
