namespace Lateen.Registry.Kubernetes;

/// <summary>The workload that a pod belongs to, as its owner and labels tell without asking anybody.</summary>
public static class WorkloadNames
{
    /// <summary>Name and kind of the workload.</summary>
    /// <param name="podName">Name of the pod.</param>
    /// <param name="generateName">Prefix of generated pod names.</param>
    /// <param name="labels">Labels of the pod.</param>
    /// <param name="ownerKind">Kind of the controlling owner; null without owner.</param>
    /// <param name="ownerName">Its name.</param>
    /// <param name="ownerVersion">Its API version.</param>
    public static (string Name, string Kind, string ApiVersion) Of(
        string podName, string generateName, IReadOnlyDictionary<string, string> labels, string? ownerKind, string ownerName,
        string ownerVersion)
    {
        if (ownerKind is null || (generateName.Length == 0 && podName.Length == 0)) return (podName, "Pod", "v1");
        switch (ownerKind)
        {
            case "ReplicaSet":
                // A Deployment's ReplicaSet is named after it, followed by the hash that its pods carry.
                if (Without(ownerName, labels.GetValueOrDefault("pod-template-hash")) is { } deployment)
                    return (deployment, "Deployment", ownerVersion);
                if (Without(ownerName, labels.GetValueOrDefault("rollouts-pod-template-hash")) is { } rollout)
                    return (rollout, "Rollout", "v1alpha1");
                break;
            case "ReplicationController":
                if (labels.TryGetValue("deploymentconfig", out var config) && config.Length > 0) return (config, "DeploymentConfig", "v1");
                break;
            case "Job":
                if (CronJobOf(ownerName) is { } cron) return (cron, "CronJob", "batch/v1");
                break;
        }
        return (ownerName, ownerKind, ownerVersion);
    }

    /// <summary>The CronJob that made a job: its name is followed by the minutes (8 or more digits) of the time.</summary>
    public static string? CronJobOf(string job)
    {
        var dash = job.LastIndexOf('-');
        if (dash <= 0 || job.Length - dash - 1 is < 8 or > 10) return null;
        for (var i = dash + 1; i < job.Length; i++)
        {
            if (!char.IsAsciiDigit(job[i])) return null;
        }
        return job[..dash];
    }

    private static string? Without(string name, string? hash) =>
        !string.IsNullOrEmpty(hash) && name.EndsWith("-" + hash, StringComparison.Ordinal) ? name[..^(hash.Length + 1)] : null;
}
