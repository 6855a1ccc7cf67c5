namespace Lateen.Injector.Gateways;

/// <summary>How gateways of a controller are deployed.</summary>
/// <param name="Controller">The controller that a GatewayClass names.</param>
/// <param name="Template">Template of their objects.</param>
/// <param name="ServiceType">Type of their service.</param>
/// <param name="HasPlainNames">Their objects are named as the gateway, without the class.</param>
/// <param name="Image">Part of the settings that names their image.</param>
public sealed record DeploymentClass(string Controller, string Template, string ServiceType, bool HasPlainNames, string Image = "proxy")
{
    private static readonly DeploymentClass[] Known =
    [
        new("istio.io/gateway-controller", "kube-gateway", "LoadBalancer", false),
        new("istio.io/mesh-controller", "waypoint", "ClusterIP", true),
        new("istio.io/eastwest-controller", "waypoint", "LoadBalancer", true),
        new("istio.io/agentgateway-controller", "agentgateway", "LoadBalancer", true, "agentgateway"),
        new("istio.io/agentgateway-waypoint-controller", "agentgateway-waypoint", "ClusterIP", true, "agentgateway"),
    ];

    private static readonly Dictionary<string, string> Controllers = new(StringComparer.Ordinal)
    {
        ["istio"] = "istio.io/gateway-controller", ["istio-waypoint"] = "istio.io/mesh-controller", ["istio-east-west"] =
            "istio.io/eastwest-controller",
        ["istio-agentgateway"] = "istio.io/agentgateway-controller", ["istio-agentgateway-waypoint"] =
            "istio.io/agentgateway-waypoint-controller",
    };

    /// <summary>The controller of the classes that are there without a GatewayClass; null for others.</summary>
    public static string? ControllerOf(string className) => Controllers.GetValueOrDefault(className);

    /// <summary>By the controller; null for one whose gateways are not deployed.</summary>
    public static DeploymentClass? Of(string? controller) => Array.Find(Known, known => known.Controller == controller);

    /// <summary>The controller in a label.</summary>
    public string Label => Controller.Replace('/', '-');

    /// <summary>Gateways between services, or of the mesh's edge to other clusters: they are in the mesh themselves.</summary>
    public bool IsOfMesh => Template.Contains("waypoint", StringComparison.Ordinal);
}
