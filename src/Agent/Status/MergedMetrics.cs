using System.Globalization;
using System.Text;

namespace Lateen.Agent.Status;

/// <summary>The agent's own metrics, the proxy's, and those of the application where its annotations tell of any, one after the
/// other.</summary>
public static class MergedMetrics
{
    private static readonly DateTime Started = DateTime.UtcNow;

    private static long _scrapes, _failures;

    /// <summary>The text a scrape gets.</summary>
    /// <param name="options">Where the proxy's metrics are.</param>
    /// <param name="accept">The scrape's Accept header.</param>
    public static LocalAnswer Answer(AgentOptions options, string accept)
    {
        Interlocked.Increment(ref _scrapes);
        LocalAnswer? proxy = LocalHttp.Ask("GET", options.LocalAddress, options.MetricsPort, "/stats/prometheus");
        List<string> applications = [.. Application()
            .Select(
                target => Told(LocalHttp.Ask("GET", options.Program ?? "127.0.0.1", int.Parse(target.Port, CultureInfo.InvariantCulture),
                    target.Path)))];
        string format = applications.Count > 0 ? MetricsFormat.Of(accept) : MetricsFormat.Plain;
        string version = format == MetricsFormat.OpenMetrics ? "1.0.0" : "0.0.4";
        string text = Merge(Own(), Told(proxy), applications);
        return new LocalAnswer(200, $"{format}; version={version}; charset=utf-8",
            format == MetricsFormat.OpenMetrics ? text + "# EOF\n" : text);
    }

    /// <summary>Puts texts one after the other. The same name in two of them is left to who reads it: nobody here could say which is
    /// right.</summary>
    public static string Merge(string own, string proxy, IEnumerable<string> applications)
    {
        var text = new StringBuilder();
        foreach (string part in applications.Prepend(proxy).Prepend(own)) Append(text, part);
        return text.ToString();
    }

    /// <summary>The agent's own metrics.</summary>
    public static string Own()
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        var text = new StringBuilder();
        Counter(text, "istio_agent_scrapes_total", "The total number of scrapes.", Interlocked.Read(ref _scrapes));
        Counter(text, "istio_agent_scrape_failures_total", "The total number of failed scrapes.", Interlocked.Read(ref _failures));
        Gauge(text, "istio_agent_process_resident_memory_bytes", "Resident memory size in bytes.", process.WorkingSet64);
        Gauge(text, "istio_agent_process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
            (Started - DateTime.UnixEpoch).TotalSeconds);
        Gauge(text, "istio_agent_uptime_seconds", "Seconds since the agent started.", (DateTime.UtcNow - Started).TotalSeconds);
        return text.ToString();
    }

    private static string Told(LocalAnswer? answer)
    {
        if (answer is { Status: 200, Body: var body }) return body;
        Interlocked.Increment(ref _failures);
        return "";
    }

    private static void Counter(StringBuilder text, string name, string help, long value) =>
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");

    private static void Gauge(StringBuilder text, string name, string help, double value) =>
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");

    private static void Append(StringBuilder text, string part)
    {
        if (part.Length == 0) return;
        // The end mark of OpenMetrics stands at most once, at the end.
        part = part.Replace("# EOF\n", "", StringComparison.Ordinal);
        text.Append(part);
        if (!part.EndsWith('\n')) text.Append('\n');
    }

    private static IReadOnlyList<ScrapeTarget> Application() =>
        Environment.GetEnvironmentVariable("ISTIO_PROMETHEUS_ANNOTATIONS") is { Length: > 0 } said
            && ScrapeTargets.Read(said).Targets is { Scrape: true } told ? told.Targets : [];
}
