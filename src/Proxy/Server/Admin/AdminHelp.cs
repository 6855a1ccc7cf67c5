// Admin: the pages by which operators and Istio's tools look into a running proxy and turn its switches: Envoy's paths, forms and words,
// and pages of our own (/decisions, /why). Everything here runs on the main loop; what workers own is asked of them by letters or read from
// counters.
//
// It owns no state but the help and the levels of loggers. A page never blocks and never touches a connection.
// Refused: ASP.NET for these pages (more memory than the rest of the proxy); the proxy's own HTTP codec serves them.
// The namespace is that of the folder above: to everybody else it is one thing.
namespace Lateen.Proxy.Server;

/// <summary>What /help says of a page: Envoy's pages in Envoy's words, since tools read them.</summary>
/// <param name="Path">The path.</param>
/// <param name="What">What it does.</param>
/// <param name="Post">It changes something: POST alone.</param>
/// <param name="Parameters">Names and what they do.</param>
public sealed record AdminHelp(string Path, string What, bool Post = false, params (string Name, string Text)[] Parameters)
{
    private const string UsedOnly = "Only include stats that have been written by system since restart",
        Filter = "Regular expression (Google re2) for filtering stats", Invert = "Invert the filter regex";

    /// <summary>Envoy's pages, by path.</summary>
    public static readonly IReadOnlyList<AdminHelp> Envoy =
    [
        new("/", "Admin home page"),
        new("/allocprofiler", "enable/disable the allocation profiler (if supported)", true,
            ("enable", "enable/disable the allocation profiler; One of (y, n)")),
        new("/certs", "print certs on machine"),
        new("/clusters", "upstream cluster status", false, ("filter", "Regular expression (Google re2) for filtering clusters by name")),
        new("/config_dump", "dump current Envoy configs", false,
            ("resource", "The resource to dump"),
            ("mask", "The mask to apply. When both resource and mask are specified, the mask is applied to every element in the desired "
                + "repeated field so that only a subset of fields are returned. The mask is parsed as a Protobuf::FieldMask"),
            ("name_regex", "Dump only the currently loaded configurations whose names match the specified regex. Can be used with both "
                + "resource and mask query parameters."),
            ("include_eds", "Dump currently loaded configuration including EDS. See the response definition for more information")),
        new("/contention", "dump current Envoy mutex contention stats (if enabled)"),
        new("/cpuprofiler", "enable/disable the CPU profiler", true, ("enable", "enables the CPU profiler; One of (y, n)")),
        new("/drain_listeners", "drain listeners", true,
            ("graceful", "When draining listeners, enter a graceful drain period prior to closing listeners. This behaviour and "
                + "duration is configurable via server options or CLI"),
            ("skip_exit", "When draining listeners, drain the connections but never stop the listeners. The graceful parameter has no "
                + "effect when this is set, since the drain period only delays stopping the listeners"),
            ("inboundonly", "Drains all inbound listeners. traffic_direction field in envoy_v3_api_msg_config.listener.v3.Listener is "
                + "used to determine whether a listener is inbound or outbound.")),
        new("/healthcheck/fail", "cause the server to fail health checks", true),
        new("/healthcheck/ok", "cause the server to pass health checks", true),
        new("/heap_dump", "dump current Envoy heap (if supported)"),
        new("/heapprofiler", "enable/disable the heap profiler", true, ("enable", "enable/disable the heap profiler; One of (y, n)")),
        new("/help", "print out list of admin commands"),
        new("/hot_restart_version", "print the hot restart compatibility version"),
        new("/init_dump", "dump current Envoy init manager information (experimental)", false,
            ("mask", "The desired component to dump unready targets. The mask is parsed as a Protobuf::FieldMask. For example, get the "
                + "unready targets of all listeners with /init_dump?mask=listener`")),
        new("/listeners", "print listener info", false, ("format", "File format to use; One of (text, json)")),
        new("/logging", "query/change logging levels", true,
            ("paths", "Change multiple logging levels by setting to <logger_name1>:<desired_level1>,<logger_name2>:<desired_level2>. If "
                + "fine grain logging is enabled, use __FILE__ or a glob experision as the logger name. For example, "
                    + "source/common*:warning"),
            ("group", "Change given logger group to desired level, set to <logger_group_name>:<desired_level>. logger_group_name must "
                + "be a logger name."),
            ("level", "desired logging level, this will change all loggers's level; One of (, trace, debug, info, warning, error, "
                + "critical, off)")),
        new("/memory", "print current allocation/heap usage"),
        new("/memory/tcmalloc", "print TCMalloc stats"),
        new("/peak_heap_dump", "dump peak Envoy heap (if supported)"),
        new("/quitquitquit", "exit the server", true),
        new("/ready", "print server state, return 200 if LIVE, otherwise return 503"),
        new("/reopen_logs", "reopen access logs", true),
        new("/reset_counters", "reset all counters to zero", true),
        new("/runtime", "print runtime values"),
        new("/runtime_modify",
            "Adds or modifies runtime values as passed in query parameters. To delete a previously added key, use an empty string as "
            + "the value. Note that deletion only applies to overrides added via this endpoint; values loaded from disk can be modified "
                + "via override but not deleted. E.g. ?key1=value1&key2=value2...", true),
        new("/server_info", "print server version/status information"),
        new("/stats", "print server stats", false,
            ("usedonly", UsedOnly), ("filter", Filter), ("invert_filter", Invert),
            ("format", "Format to use; One of (html, active-html, text, json)"),
            ("type", "Stat types to include.; One of (All, Counters, Histograms, Gauges, TextReadouts)"),
            ("histogram_buckets", "Histogram bucket display mode; One of (cumulative, disjoint, detailed, summary)")),
        new("/stats/prometheus", "print server stats in prometheus format", false,
            ("usedonly", UsedOnly), ("text_readouts", "Render text_readouts as new gaugues with value 0 (increases Prometheus data size)"),
            ("filter", Filter), ("invert_filter", Invert),
            ("histogram_buckets", "Histogram bucket display mode; One of (cumulative, summary)")),
        new("/stats/recentlookups", "Show recent stat-name lookups"),
        new("/stats/recentlookups/clear", "clear list of stat-name lookups and counter", true),
        new("/stats/recentlookups/disable", "disable recording of reset stat-name lookup names", true),
        new("/stats/recentlookups/enable", "enable recording of reset stat-name lookup names", true),
    ];

    /// <summary>Our own pages.</summary>
    public static readonly IReadOnlyList<AdminHelp> Own =
    [
        new("/decisions", "the last decisions, newest first", false, ("id", "of this x-request-id"), ("limit", "at most so many, 100"),
            ("status", "with this status, or 5xx"), ("route", "of this route"), ("peer", "of a peer whose identity contains this")),
        new("/explain", "what would serve a request", false, ("method", "GET"), ("url", "the address"),
            ("header", "name: value, again and again"), ("address", "where the connection went")),
        new("/why", "what became of a request", false, ("id", "its x-request-id")),
    ];

    /// <summary>The list that /help shows: Envoy's pages, as its tools expect; ours stand on the home page.</summary>
    public static string Text { get; } = "admin commands are:\n" + string.Concat(Envoy.Select(
        h => $"  {h.Path}{(h.Post ? " (POST)" : "")}: {h.What}\n{string.Concat(h.Parameters.Select(p => $"      {p.Name}: {p.Text}\n"))}"));

    /// <summary>The home page: a link to each page, a form where it changes something or takes parameters; ours stand last.</summary>
    public static string Home { get; } =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>Envoy Admin</title>\n</head>\n<body>\n<table class=\"home-table\">\n<tbody>\n"
            + string.Concat(Envoy.Where(h => h.Path != "/").Select(Row)) + string.Concat(Own.Select(h => Link(h.Path[1..], h.What)))
            + "</tbody>\n</table>\n</body>\n</html>\n";

    private static string Row(AdminHelp help)
    {
        string name = help.Path[1..];
        if (!help.Post && help.Parameters.Length == 0)
            return Link(name, help.What);
        // A page that changes something is no link: whoever follows all links of a page must not end the proxy.
        string form =
            $"<form action=\"{name}\" method=\"{(help.Post ? "post" : "get")}\" id=\"{name}\" "
            + $"class=\"home-form\">\n<button>{name}</button>\n</form>";
        return Line(form, help.What)
            + string.Concat(help.Parameters.Select(p => Line($"<input type=\"text\" name=\"{p.Name}\" form=\"{name}\" />", p.Text)));
    }

    private static string Link(string name, string what) => Line($"<a href=\"{name}\">{name}</a>", what);

    private static string Line(string place, string what) =>
        $"<tr>\n<td class=\"home-data\">{place}</td>\n<td class=\"home-data\">{System.Net.WebUtility.HtmlEncode(what)}</td>\n</tr>\n";
}
