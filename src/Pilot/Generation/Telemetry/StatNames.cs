using System.Globalization;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Telemetry;

/// <summary>Names of clusters in statistics where the mesh configuration has a pattern for them.</summary>
public static class StatNames
{
    /// <summary>Name of an outbound cluster.</summary>
    /// <param name="pattern">Pattern, or empty for <paramref name="otherwise"/>.</param>
    /// <param name="host">Host.</param>
    /// <param name="subset">Subset.</param>
    /// <param name="port">Service port.</param>
    /// <param name="targetPort">Workload port; 0 when unknown.</param>
    /// <param name="service">The service; null for the plain host.</param>
    /// <param name="otherwise">Name without a pattern.</param>
    public static string Outbound(string pattern, string host, string subset, ServicePort? port, int targetPort, Service? service,
        string otherwise)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        if (pattern.Length == 0) return otherwise;
        var kubernetes = service is { Source: ServiceSource.Kubernetes };
        var shortName = kubernetes ? $"{service!.Name}.{service.Namespace}" : host;
        return Expand(pattern, shortName, kubernetes ? service!.Name : host, host, subset, port?.Number ?? 0, port?.Name ?? "", targetPort);
    }

    /// <summary>Name of an inbound cluster.</summary>
    public static string Inbound(string pattern, string host, string serviceName, string serviceNamespace, string subset, int port,
        string portName, string otherwise)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(serviceName);
        if (pattern.Length == 0) return otherwise;
        var shortName = serviceName.Length > 0 && serviceNamespace.Length > 0 ? $"{serviceName}.{serviceNamespace}" : host;
        return Expand(pattern, shortName, serviceName.Length > 0 ? serviceName : host, host, subset, port, portName, 0);
    }

    private static string Expand(string pattern, string shortName, string name, string host, string subset, int port, string portName,
        int targetPort) => pattern
            .Replace("%SERVICE%", shortName, StringComparison.Ordinal)
            .Replace("%SERVICE_NAME%", name, StringComparison.Ordinal)
            .Replace("%SERVICE_FQDN%", host, StringComparison.Ordinal)
            .Replace("%SUBSET_NAME%", subset, StringComparison.Ordinal)
            .Replace("%TARGET_PORT%", targetPort.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("%SERVICE_PORT%", port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("%SERVICE_PORT_NAME%", portName, StringComparison.Ordinal);
}
