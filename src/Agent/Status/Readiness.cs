using System.Globalization;

namespace Lateen.Agent.Status;

/// <summary>Whether the proxy takes traffic: it has its first clusters and listeners, and its workers run. Asked of its admin pages, as Istio's agent does of Envoy.</summary>
public sealed class Readiness(AgentOptions options)
{
    private const string FirstConfiguration = "/stats?usedonly&filter=^(cluster_manager\\.cds|listener_manager\\.lds)\\.(update_success|update_rejected)$";
    private const string Workers = "/stats?usedonly&filter=^(server\\.state|listener_manager\\.workers_started)";
    private volatile bool _configured;

    /// <summary>Null when ready, else why not.</summary>
    public string? Obstacle()
    {
        if (!_configured)
        {
            if (Stats(FirstConfiguration) is not { } updates) return "the proxy's admin pages do not answer";
            if (WhyNotConfigured(updates) is { } reason) return reason;
            _configured = true;
        }
        if (Stats(Workers) is not { } state) return "the proxy's admin pages do not answer";
        if (Value(state, "server.state") != 0) return $"server is not live, current state is: {Value(state, "server.state")}";
        return Value(state, "listener_manager.workers_started") == 1 ? null : "workers have not yet started";
    }

    /// <summary>Why the configuration is not there yet, from the proxy's counters; null where it is. The sentences are those operators know from Istio.</summary>
    public static string? WhyNotConfigured(string stats)
    {
        long cds = Value(stats, "cluster_manager.cds.update_success") ?? 0, cdsRejected = Value(stats, "cluster_manager.cds.update_rejected") ?? 0;
        long lds = Value(stats, "listener_manager.lds.update_success") ?? 0, ldsRejected = Value(stats, "listener_manager.lds.update_rejected") ?? 0;
        if (cds > 0 && lds > 0) return null;
        string counts = $"cds updates: {cds} successful, {cdsRejected} rejected; lds updates: {lds} successful, {ldsRejected} rejected";
        if (cdsRejected > 0 || ldsRejected > 0) return "config received from XDS server, but was rejected: " + counts;
        return cds > 0 || lds > 0 ? "config not fully received from XDS server: " + counts : "config not received from XDS server (is Istiod running?): " + counts;
    }

    private static long? Value(string stats, string name)
    {
        foreach (string line in stats.Split('\n'))
            if (line.StartsWith(name + ":", StringComparison.Ordinal) && long.TryParse(line.AsSpan(name.Length + 1).Trim(), CultureInfo.InvariantCulture, out long value)) return value;
        return null;
    }

    private string? Stats(string path) => LocalHttp.Ask("GET", options.LocalAddress, options.AdminPort, path) is { Status: 200 } answer ? answer.Body : null;
}
