using System.Globalization;
using System.Text.Json.Nodes;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Pods;

/// <summary>What a pod belongs to, as its owner wrote it: the deployment, not the replica set that the cluster made of it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Namespace">Its namespace; empty where none is written.</param>
/// <param name="ApiVersion">Its API version.</param>
/// <param name="Kind">Its kind.</param>
public sealed record WorkloadOwner(string Name, string Namespace, string ApiVersion, string Kind)
{
    /// <summary>By what the cluster tells of a pod.</summary>
    public static WorkloadOwner Of(JsonObject pod)
    {
        var metadata = pod["metadata"];
        var self = new WorkloadOwner(metadata.Word("name") ?? "", metadata.Word("namespace") ?? "", "v1", "Pod");
        var controller = metadata.Each("ownerReferences").FirstOrDefault(reference => reference.Word("controller") == "true");
        if (string.IsNullOrEmpty(metadata.Word("generateName")) || controller is null) return self;
        var owner = self with
        {
            Name = controller.Word("name") ?? "",
            ApiVersion = controller.Word("apiVersion") ?? "",
            Kind = controller.Word("kind") ?? "",
        };
        var labels = pod.Labels();
        return owner.Kind switch
        {
            "ReplicaSet" when Without(owner.Name, labels.GetValueOrDefault("pod-template-hash", "")) is { } deployment =>
                owner with { Name = deployment, Kind = "Deployment" },
            "ReplicaSet" when Without(owner.Name, labels.GetValueOrDefault("rollouts-pod-template-hash", "")) is { } rollout =>
                owner with { Name = rollout, Kind = "Rollout", ApiVersion = "v1alpha1" },
            "ReplicationController" when labels.TryGetValue("deploymentconfig", out var config) =>
                owner with { Name = config, Kind = "DeploymentConfig" },
            "Job" when WithoutTime(owner.Name) is { } job => owner with { Name = job, Kind = "CronJob", ApiVersion = "batch/v1" },
            _ => owner,
        };
    }

    private static string? Without(string name, string hash) =>
        hash.Length > 0 && name.EndsWith("-" + hash, StringComparison.Ordinal) ? name[..^(hash.Length + 1)] : null;

    // A cron job names its jobs by the minute.
    private static string? WithoutTime(string name)
    {
        var dash = name.LastIndexOf('-');
        return dash > 0 && name.Length - dash - 1 is >= 8 and <= 10
            && long.TryParse(name.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out _) ? name[..dash] : null;
    }
}
