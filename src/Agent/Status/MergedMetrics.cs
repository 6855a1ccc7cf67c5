using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Lateen.Agent.Status;

/// <summary>The agent's own metrics, the proxy's, and those of the application where its annotations tell of any, one after the other.</summary>
public static class MergedMetrics
{
    private static readonly DateTime Started = DateTime.UtcNow;

    /// <summary>The text a scrape gets.</summary>
    public static string Text(AgentOptions options)
    {
        var text = new StringBuilder();
        Own(text);
        Append(text, LocalHttp.Ask("GET", options.LocalAddress, options.MetricsPort, "/stats/prometheus"));
        if (Application() is var (port, path)) Append(text, LocalHttp.Ask("GET", options.Program ?? "127.0.0.1", port, path));
        return text.ToString();
    }

    private static void Own(StringBuilder text)
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        Gauge(text, "istio_agent_process_resident_memory_bytes", "Resident memory size in bytes.", process.WorkingSet64);
        Gauge(text, "istio_agent_process_start_time_seconds", "Start time of the process since unix epoch in seconds.", (Started - DateTime.UnixEpoch).TotalSeconds);
        Gauge(text, "istio_agent_uptime_seconds", "Seconds since the agent started.", (DateTime.UtcNow - Started).TotalSeconds);
    }

    private static void Gauge(StringBuilder text, string name, string help, double value) =>
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");

    private static void Append(StringBuilder text, LocalAnswer? answer)
    {
        if (answer is not { Status: 200, Body: { Length: > 0 } body }) return;
        // The end mark of OpenMetrics stands at most once, at the end.
        body = body.Replace("# EOF\n", "", StringComparison.Ordinal);
        text.Append(body);
        if (!body.EndsWith('\n')) text.Append('\n');
    }

    private static (int Port, string Path)? Application()
    {
        if (Environment.GetEnvironmentVariable("ISTIO_PROMETHEUS_ANNOTATIONS") is not { Length: > 0 } said) return null;
        try
        {
            JsonNode? annotations = JsonNode.Parse(said);
            if (annotations?["scrape"]?.ToString() != "true" || !int.TryParse(annotations["port"]?.ToString(), CultureInfo.InvariantCulture, out int port)) return null;
            return (port, annotations["path"]?.ToString() is { Length: > 0 } path ? path : "/metrics");
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }
    }
}
