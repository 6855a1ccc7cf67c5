using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;

namespace Lateen.ControlPlane.Findings;

/// <summary>Fields that a resource may have and that change nothing, here or in Istio: whoever wrote one is told so instead of wondering.</summary>
public static class IdleFields
{
    /// <summary>The paths of those that are written in a resource.</summary>
    public static IEnumerable<string> Of(Resource resource) => resource switch
    {
        Resource<DestinationRule> { Spec: var rule } => Of(rule),
        Resource<VirtualService> { Spec: var service } => Of(service),
        Resource<EnvoyFilter> { Spec: var filter } => filter.ConfigPatches.Select((patch, i) => (patch, i))
            .Where(at => at.patch.Patch?.FilterClass is not (null or EnvoyFilter.Types.Patch.Types.FilterClass.Unspecified)).Select(at => $"spec.configPatches[{at.i}].patch.filterClass"),
        _ => [],
    };

    private static IEnumerable<string> Of(DestinationRule rule)
    {
        IEnumerable<(TrafficPolicy? Policy, string Path)> policies = rule.Subsets.Select((subset, i) => ((TrafficPolicy?)subset.TrafficPolicy, $"spec.subsets[{i}].trafficPolicy")).Prepend((rule.TrafficPolicy, "spec.trafficPolicy"));
        foreach ((TrafficPolicy? policy, string path) in policies)
        {
            if (policy is null) continue;
            foreach (string idle in Of(policy.LoadBalancer, policy.OutlierDetection, path)) yield return idle;
            for (int i = 0; i < policy.PortLevelSettings.Count; i++)
            {
                foreach (string idle in Of(policy.PortLevelSettings[i].LoadBalancer, policy.PortLevelSettings[i].OutlierDetection, $"{path}.portLevelSettings[{i}]")) yield return idle;
            }
        }
    }

    private static IEnumerable<string> Of(LoadBalancerSettings? balancer, OutlierDetection? outliers, string path)
    {
        if (balancer?.BackendUtilization is not null) yield return $"{path}.loadBalancer.backendUtilization";
        // Replaced by consecutive5xxErrors long ago; Istio reads it no more.
        if (outliers is { ConsecutiveErrors: not 0 }) yield return $"{path}.outlierDetection.consecutiveErrors";
    }

    private static IEnumerable<string> Of(VirtualService service)
    {
        for (int i = 0; i < service.Http.Count; i++)
        {
            if (service.Http[i].Fault is not { } fault) continue;
            if (fault.Delay is { HttpDelayTypeCase: HTTPFaultInjection.Types.Delay.HttpDelayTypeOneofCase.ExponentialDelay }) yield return $"spec.http[{i}].fault.delay.exponentialDelay";
            if (fault.Abort is { ErrorTypeCase: HTTPFaultInjection.Types.Abort.ErrorTypeOneofCase.Http2Error }) yield return $"spec.http[{i}].fault.abort.http2Error";
        }
        for (int i = 0; i < service.Tcp.Count; i++)
        {
            for (int j = 0; j < service.Tcp[i].Match.Count; j++)
            {
                if (service.Tcp[i].Match[j].SourceSubnet.Length > 0) yield return $"spec.tcp[{i}].match[{j}].sourceSubnet";
            }
        }
    }
}
