using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;
using Gateway = Kubernetes.Gateway.V1.Gateway;

namespace Lateen.Pilot.Meaning.GatewayApi.Status;

/// <summary>One listener on its way to a status.</summary>
internal sealed record ListenerDraft(Listener Listener, ConditionDrafts Conditions, Server Server)
{
    /// <summary>Nothing hinders that it serves.</summary>
    public bool IsValid { get; set; } = true;

    /// <summary>Routes that are attached, each counted once.</summary>
    public HashSet<(string Kind, string Namespace, string Name)> Routes { get; } = [];

    /// <summary>As the API has it.</summary>
    public ListenerStatus Render(long generation, IEnumerable<ListenerStatus> before)
    {
        var (kinds, areValid) = RouteKinds.Of(Listener);
        if (!areValid) Conditions.Fail("ResolvedRefs", new Problem("InvalidRouteKinds", "Invalid route kinds"));
        var status = new ListenerStatus { Name = Listener.Name, AttachedRoutes = Routes.Count };
        status.SupportedKinds.Add(kinds.Select(kind => new RouteGroupKind { Group = GatewayApiWorld.Group, Kind = kind }));
        status.Conditions.Add(Conditions.Render(generation, before.FirstOrDefault(old => old.Name == Listener.Name)?.Conditions));
        return status;
    }
}

/// <summary>A Gateway on its way to a status.</summary>
internal sealed record GatewayDraft(Resource<Gateway> Gateway, GatewayClassTraits Class, IReadOnlyList<string> Services, Problem? Problem)
{
    public List<ListenerDraft> Listeners { get; } = [];

    public List<ListenerSetDraft> Sets { get; } = [];
}

/// <summary>A ListenerSet on its way to a status.</summary>
internal sealed record ListenerSetDraft(Resource<ListenerSet> Set, GatewayDraft Parent, Problem? Refused)
{
    public List<ListenerDraft> Listeners { get; } = [];
}
