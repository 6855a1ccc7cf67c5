using System.Text.Json.Nodes;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;
using Lateen.Config.Store;
using Lateen.Pilot.Meaning;

namespace Lateen.ControlPlane.Cluster.Gateways;

/// <summary>A GatewayClass that is there without anybody having written it. It is made where it is missing and never changed: whoever
/// writes another form of it has his way.</summary>
/// <param name="Key">The class.</param>
/// <param name="Controller">Who serves its gateways.</param>
/// <param name="Description">What it says of itself.</param>
public sealed record ClassWish(ResourceKey Key, string Controller, string Description) : ClusterWish(Key)
{
    private static readonly (string Name, string Controller, string Description)[] Always =
    [
        ("istio", "istio.io/gateway-controller", "The default Istio GatewayClass"),
        ("istio-remote", "istio.io/unmanaged-gateway", "Remote to this cluster. Does not deploy or affect configuration."),
    ];

    private static readonly (string Name, string Controller, string Description)[] OfAmbient =
        [("istio-waypoint", "istio.io/mesh-controller", "The default Istio waypoint GatewayClass")];

    /// <inheritdoc />
    public override string Subject => Key.ToString();

    /// <summary>The classes that are missing.</summary>
    public static IEnumerable<ClassWish> Of(ResourceView view, Features features)
    {
        if (!features.Flag("PILOT_ENABLE_GATEWAY_API_GATEWAYCLASS_CONTROLLER", true)) return [];
        return (features.Ambient ? Always.Concat(OfAmbient) : Always).Where(known => view.Find(Kinds.GatewayClass, "", known.Name) is null)
            .Select(known => new ClassWish(new ResourceKey(Kinds.GatewayClass, "", known.Name), known.Controller, known.Description));
    }

    /// <inheritdoc />
    public override async Task<WishEnd> FulfilAsync(ClusterObjects objects, CancellationToken cancel)
    {
        ApiResult<ServedKind> served = await objects.FindAsync(Key.Kind, cancel);
        if (served.Value is not { } kind) return new WishEnd(false, served.Failure);
        var written = new JsonObject
        {
            ["apiVersion"] = kind.ApiVersion, ["kind"] = kind.Kind.Name, ["metadata"] = new JsonObject { ["name"] = Key.Name },
            ["spec"] = new JsonObject { ["controllerName"] = Controller, ["description"] = Description },
        };
        WishEnd end = WishEnd.Of(await objects.CreateAsync(kind.Path, written, cancel));
        return end.Failure is { IsConflict: true } ? WishEnd.Nothing : end;
    }
}
