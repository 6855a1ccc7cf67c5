using System.Globalization;

namespace Lateen.Agent.Status;

/// <summary>Whether the proxy takes traffic: it has its first clusters and listeners, and its workers serve them.</summary>
/// <param name="options">Where its admin pages are, which tell what is missing.</param>
/// <param name="isLive">Whether the proxy of this process has got that far.</param>
public sealed class Readiness(AgentOptions options, Func<bool> isLive)
{
    private const string FirstConfiguration =
        "/stats?usedonly&filter=^(cluster_manager\\.cds|listener_manager\\.lds)\\.(update_success|update_rejected)$";

    /// <summary>Null when ready, else why not.</summary>
    public string? Obstacle()
    {
        if (isLive()) return null;
        return LocalHttp.Ask("GET", options.LocalAddress, options.AdminPort, FirstConfiguration) is { Status: 200 } stats
            ? WhyNotConfigured(stats.Body) ?? "workers have not yet started"
            : "the proxy has not taken up its first configuration";
    }

    /// <summary>Why the configuration is not there yet, from the proxy's counters; null where it is. The sentences are those operators know
    /// from Istio.</summary>
    public static string? WhyNotConfigured(string stats)
    {
        long cds = Value(stats, "cluster_manager.cds.update_success") ?? 0,
            cdsRejected = Value(stats, "cluster_manager.cds.update_rejected") ?? 0;
        long lds = Value(stats, "listener_manager.lds.update_success") ?? 0,
            ldsRejected = Value(stats, "listener_manager.lds.update_rejected") ?? 0;
        if (cds > 0 && lds > 0) return null;
        string counts = $"cds updates: {cds} successful, {cdsRejected} rejected; lds updates: {lds} successful, {ldsRejected} rejected";
        if (cdsRejected > 0 || ldsRejected > 0) return "config received from XDS server, but was rejected: " + counts;
        return cds > 0 || lds > 0 ? "config not fully received from XDS server: " + counts
            : "config not received from XDS server (is Istiod running?): " + counts;
    }

    private static long? Value(string stats, string name)
    {
        foreach (string line in stats.Split('\n'))
            if (line.StartsWith(name + ":", StringComparison.Ordinal)
                && long.TryParse(line.AsSpan(name.Length + 1).Trim(), CultureInfo.InvariantCulture, out long value)) return value;
        return null;
    }
}
