using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Generation.Telemetry;

/// <summary>The name of a workload in spans by OpenTelemetry's conventions for Kubernetes.</summary>
internal static class ServiceNames
{
    private const string Unknown = "unknown_service";
    private const string Annotation = "resource.opentelemetry.io/service.name";

    private static readonly string[] Labels = ["app.kubernetes.io/instance", "app.kubernetes.io/name"];

    /// <summary>Annotation, labels, workload, pod, the only container: the first that is there.</summary>
    public static string Of(ProxyNode? node)
    {
        if (node is null) return Unknown;
        var metadata = node.Metadata;
        if (metadata.Annotations.GetValueOrDefault(Annotation) is { Length: > 0 } annotated) return annotated;
        foreach (var label in Labels)
        {
            if (node.Labels.GetValueOrDefault(label) is { Length: > 0 } labelled) return labelled;
        }
        if (metadata.WorkloadName.Length > 0) return metadata.WorkloadName;
        var pod = node.WorkloadId.Split('.')[0];
        if (pod.Length > 0) return pod;
        var containers = metadata.Text("APP_CONTAINERS").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return containers.Length == 1 ? containers[0] : Unknown;
    }
}
