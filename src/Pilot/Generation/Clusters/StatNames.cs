using System.Globalization;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>Statistics names of clusters, by the patterns of the mesh configuration.</summary>
internal static class StatNames
{
    /// <summary>Envoy cuts its statistics names at the delimiter, since names contain dots themselves.</summary>
    public static string Delimited(string name) => name + ";";

    public static string Expand(string pattern, Service service, string subset, ServicePort? port, int targetPort) => pattern
        .Replace("%SERVICE%", ShortName(service), StringComparison.Ordinal)
        .Replace("%SERVICE_NAME%", service.Name, StringComparison.Ordinal)
        .Replace("%SERVICE_FQDN%", service.Hostname, StringComparison.Ordinal)
        .Replace("%SUBSET_NAME%", subset, StringComparison.Ordinal)
        .Replace("%TARGET_PORT%", targetPort.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
        .Replace("%SERVICE_PORT%", (port?.Number ?? 0).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
        .Replace("%SERVICE_PORT_NAME%", port?.Name ?? "", StringComparison.Ordinal);

    private static string ShortName(Service service) => service.Source == ServiceSource.Kubernetes
        ? $"{service.Name}.{service.Namespace}"
        : service.Hostname;
}
