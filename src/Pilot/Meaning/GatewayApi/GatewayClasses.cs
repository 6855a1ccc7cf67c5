namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>What gateways of a class are.</summary>
/// <param name="Controller">Who serves them, as their status says.</param>
/// <param name="IsRemote">Programmed by another control plane.</param>
/// <param name="TakesListenerSets">ListenerSets may add to their listeners.</param>
/// <param name="HasPlainName">What is deployed for them has the gateway's own name, without the class behind it.</param>
/// <param name="AddressType">Which of a service's inner addresses its status tells; empty for all.</param>
internal sealed record GatewayClassTraits(string Controller, bool IsRemote = false, bool TakesListenerSets = false,
    bool HasPlainName = false, string AddressType = "")
{
    /// <summary>A gateway of the mesh's inside, to which no routes are converted.</summary>
    public bool IsWaypoint => Controller == GatewayClasses.MeshController;

    /// <summary>A gateway between the networks of an ambient mesh.</summary>
    public bool IsEastWest => Controller == GatewayClasses.EastWestController;
}

/// <summary>The classes that exist without being written down, and the controllers that are ours.</summary>
internal static class GatewayClasses
{
    public const string GatewayController = "istio.io/gateway-controller";
    public const string MeshController = "istio.io/mesh-controller";
    public const string EastWestController = "istio.io/eastwest-controller";
    private const string UnmanagedController = "istio.io/unmanaged-gateway";

    /// <summary>The controller of a class that nobody wrote down; empty for none.</summary>
    public static string ControllerOf(string className) => className switch
    {
        "istio" => GatewayController,
        "istio-remote" => UnmanagedController,
        "istio-waypoint" => MeshController,
        "istio-east-west" => EastWestController,
        _ => "",
    };

    /// <summary>What a controller's gateways are; null where the controller is not ours.</summary>
    public static GatewayClassTraits? Of(string controller) => controller switch
    {
        GatewayController => new GatewayClassTraits(controller, TakesListenerSets: true, AddressType: "Hostname"),
        UnmanagedController => new GatewayClassTraits(controller, IsRemote: true, AddressType: "Hostname"),
        MeshController or EastWestController => new GatewayClassTraits(controller, HasPlainName: true),
        _ => null,
    };
}
