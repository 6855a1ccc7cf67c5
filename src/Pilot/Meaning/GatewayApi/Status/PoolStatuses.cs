using Kubernetes.Gateway.V1;
using Kubernetes.Inference.V1;
using Lateen.Config.Resources;

namespace Lateen.Pilot.Meaning.GatewayApi.Status;

/// <summary>Status of pools of inference servers: an entry for each gateway that has accepted a route to the pool, by what the routes' own
/// statuses say.</summary>
internal static class PoolStatuses
{
    public static IEnumerable<GatewayApiStatus> Of(GatewayApiWorld world) => world.Inputs.Pools.Select(pool =>
    {
        var status = new InferencePoolStatus();
        status.Parents.Add((pool.Spec.Status?.Parents ?? []).Where(parent => parent.ControllerName != GatewayClasses.GatewayController));
        foreach (var gateway in GatewaysOf(world, pool).Distinct().Order())
        {
            var conditions = new ConditionDrafts().With("Accepted", "Accepted",
                "Referenced by an HTTPRoute accepted by the parentRef Gateway")
                .With("ResolvedRefs", "ResolvedRefs", "Referenced ExtensionRef resolved successfully");
            var picker = pool.Spec.Spec?.EndpointPickerRef;
            if (picker is not null && world.Registry.Find(world.HostOf(picker.Name, pool.Namespace), pool.Namespace) is null)
                conditions.Fail("ResolvedRefs", new Problem("InvalidExtensionRef", $"Referenced ExtensionRef not found {picker.Name}"));
            var entry = new InferencePoolStatus.Types.ParentStatus
            {
                ParentRef = new ParentReference
                {
                    Group = GatewayApiWorld.Group,
                    Kind = "Gateway",
                    Namespace = gateway.Namespace,
                    Name = gateway.Name,
                },
                ControllerName = GatewayClasses.GatewayController,
            };
            entry.Conditions.Add(conditions.Render(pool.Metadata.Generation));
            status.Parents.Add(entry);
        }
        return new GatewayApiStatus(Kinds.InferencePool, pool.Namespace, pool.Name, status);
    });

    private static IEnumerable<(string Namespace, string Name)> GatewaysOf(GatewayApiWorld world, Resource<InferencePool> pool) =>
        from route in world.Inputs.HttpRoutes
        where route.Spec.Spec?.Rules.Any(
            rule => rule.BackendRefs.Any(to => to.Kind == "InferencePool" && to.Name == pool.Name
                && (to.HasNamespace ? to.Namespace : route.Namespace) == pool.Namespace)) == true
        from parent in route.Spec.Status?.Parents ?? []
        where parent.ParentRef is not null && parent.ControllerName == GatewayClasses.GatewayController
            && parent.Conditions.Any(condition => condition is { Type: "Accepted", Status: "True" })
        select (parent.ParentRef.HasNamespace ? parent.ParentRef.Namespace : route.Namespace, parent.ParentRef.Name);
}
