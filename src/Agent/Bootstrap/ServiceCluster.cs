namespace Lateen.Agent.Bootstrap;

/// <summary>The name under which a proxy's workload appears in statistics and spans: its application and namespace.</summary>
public static class ServiceCluster
{
    private const string Unknown = "istio-proxy";

    private static readonly string[] AppLabels = ["app", "app.kubernetes.io/name", "service.istio.io/canonical-name"];

    /// <summary>The name.</summary>
    /// <param name="configured">Name in the proxy's configuration; the placeholder of old installations counts as none.</param>
    /// <param name="labels">Labels of the pod.</param>
    /// <param name="workload">Name of the workload; empty when it is not known.</param>
    /// <param name="ns">Namespace; empty when it is not known.</param>
    public static string Of(string configured, IReadOnlyDictionary<string, string> labels, string workload, string ns)
    {
        if (configured.Length > 0 && configured != Unknown) return configured;
        var app = AppOf(labels) ?? (workload.Length > 0 ? workload : Unknown);
        return ns.Length == 0 ? app : $"{app}.{ns}";
    }

    /// <summary>The application by labels, the oldest of them first because dashboards rest on it; null without.</summary>
    public static string? AppOf(IReadOnlyDictionary<string, string> labels) =>
        AppLabels.Select(label => labels.GetValueOrDefault(label)).FirstOrDefault(value => !string.IsNullOrEmpty(value));
}
