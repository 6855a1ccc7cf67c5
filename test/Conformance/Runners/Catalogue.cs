using Lateen.Test.Conformance.Frame;

namespace Lateen.Test.Conformance.Runners;

/// <summary>All runners, one line each.</summary>
public static class Catalogue
{
    /// <summary>The runners of a checkout.</summary>
    public static IReadOnlyList<FolderRunner> All(string root) =>
    [
        new ProxyReplayRunner(root),
        new Names.HostMatchingRunner(),
        new Names.ProtocolSelectionRunner(),
        new Validation.ApiValidationRunner(),
        new Validation.CrdValidationRunner(),
        new Validation.GatewayApiValidationRunner(),
        new Live.IstiodLiveRunner(),
        new Validation.AnalyzeRunner(),
        new Validation.IstioctlRunner(),
        new Validation.IstioctlFolderRunner(),
        new Xds.XdsRunner(),
        new Scale.XdsInputsRunner(),
        new GatewayApi.GatewayConversionRunner(),
        new GatewayApi.GatewayApiUnitsRunner(),
        new GatewayApi.IngressConversionRunner(),
        new GatewayApi.Standard.GatewayApiConformanceRunner(),
        new Injection.InjectRunner(),
        new Injection.InjectUnitsRunner(),
        new Injection.GatewayDeploymentRunner(),
        new Traffic.SimulationRunner(),
        new Traffic.PolicyTrafficRunner(),
        new Validation.SamplesRunner(),
        new Tables.VisibilityRunner(),
        new Tables.ClustersRunner(),
        new Tables.RegistryRunner(),
        new Tables.MeshConfigRunner(),
        new Tables.AuthzRbacRunner(),
        new Tables.SecurityRulesRunner(),
        new Tables.TelemetryRunner(),
        new Tables.RoutingRunner(),
        new Tables.Ambient.NodePolicyRunner(),
        new Tables.EnvoyFilterRunner(),
        new Tables.ListenersRunner(),
        new Tables.AgentRunner(),
        new Tables.IptablesRunner(),
        new Tables.BootstrapRunner(),
    ];

    /// <summary>Folders that play traffic through a proxy process in real time, but for two that stand for them in the quick run.</summary>
    public static bool IsSlow(string folder) =>
        folder.StartsWith("proxy/", StringComparison.Ordinal) && folder is not ("proxy/route-match" or "proxy/virtual-hosts");
}
