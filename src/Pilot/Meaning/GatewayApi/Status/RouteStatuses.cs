using System.Globalization;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;

namespace Lateen.Pilot.Meaning.GatewayApi.Status;

/// <summary>Status of routes: an entry for each parent that they name, whatever number of its listeners they are attached to.</summary>
internal static class RouteStatuses
{
    // Of several listeners of one parent the best answer counts; reasons of the same rank are told together.
    private static readonly string[] Ranking = ["", "NotAllowedByListeners", "NoMatchingListenerHostname", "NoMatchingParent"];

    /// <summary>One route's status.</summary>
    /// <param name="kind">Its kind.</param>
    /// <param name="metadata">Its envelope.</param>
    /// <param name="before">What its status said.</param>
    /// <param name="parents">What it is attached to.</param>
    /// <param name="atGateways">What is wrong with its rules at gateways.</param>
    /// <param name="inMesh">What is wrong with its rules in the mesh.</param>
    public static GatewayApiStatus Of(ResourceKind kind, ResourceMetadata metadata, RouteStatus? before, IReadOnlyList<RouteParent> parents,
        Problem? atGateways, Problem? inMesh)
    {
        var status = new RouteStatus();
        // What others said stays, if it says of what.
        var foreign = before?.Parents.Where(
            parent => parent.ControllerName != GatewayClasses.GatewayController && parent.ParentRef is not null) ?? [];
        var own = parents.GroupBy(parent => parent.Reference).Select(group =>
        {
            var old = before?.Parents.FirstOrDefault(
                parent => parent.ControllerName == GatewayClasses.GatewayController && Equals(parent.ParentRef, group.Key));
            var entry = new RouteParentStatus { ParentRef = group.Key, ControllerName = GatewayClasses.GatewayController };
            entry.Conditions.Add(Conditions([.. group], group.First().IsMesh ? inMesh : atGateways)
                .Render(metadata.Generation, old?.Conditions));
            return entry;
        });
        status.Parents.Add(foreign.Concat(own)
            .OrderByDescending(parent => Spelled(parent.ParentRef, metadata.Namespace), StringComparer.Ordinal));
        return new GatewayApiStatus(kind, metadata.Namespace, metadata.Name, status);
    }

    /// <summary>A parent's reference with everything that is left out filled in.</summary>
    public static string Spelled(ParentReference reference, string ns) => string.Create(CultureInfo.InvariantCulture,
        $"{(reference.HasGroup ? reference.Group : GatewayApiWorld.Group)}/{(reference.HasKind ? reference.Kind : "Gateway")}/{reference.Name}/{reference.SectionName}/{reference.Port}.{(reference.HasNamespace ? reference.Namespace : ns)}");

    private static ConditionDrafts Conditions(IReadOnlyList<RouteParent> sections, Problem? problem)
    {
        var bound = sections.Count(section => section.Denied is null);
        var conditions = new ConditionDrafts()
            .With("Accepted", "Accepted",
                bound > 1 ? string.Create(CultureInfo.InvariantCulture, $"Route was valid, bound to {bound} parents") : "Route was valid")
            .With("ResolvedRefs", "ResolvedRefs", "All references resolved");
        if (problem is not null) conditions.Fail("ResolvedRefs", problem);
        if (bound > 0) return conditions;
        var rank = sections.Min(RankOf);
        Problem[] told = [.. sections.Where(section => RankOf(section) == rank).Select(section => section.Denied!)];
        conditions.Fail("Accepted", new Problem(told[0].Reason, string.Join("; ", told.Select(denied => denied.Message))));
        return conditions;
    }

    private static int RankOf(RouteParent section) => Array.IndexOf(Ranking, section.Denied?.Reason ?? "");
}
