using Google.Protobuf;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;

namespace Lateen.Config.Analysis;

/// <summary>What analysis has to know beside the objects.</summary>
public sealed record AnalysisOptions
{
    public string RootNamespace { get; init; } = "istio-system";

    public string ClusterDomain { get; init; } = "cluster.local";

    /// <summary>Service entries get addresses by themselves where they have none.</summary>
    public bool AllocatesAddresses { get; init; }

    /// <summary>Namespaces without a label are injected, too.</summary>
    public bool InjectsByDefault { get; init; }

    /// <summary>The time, for certificates.</summary>
    public DateTimeOffset Now { get; init; }
}

/// <summary>One analyzer, by the name that Istio's tools know it by.</summary>
public sealed record Analyzer(string Name, Action<AnalysisContext> Run)
{
    /// <summary>All analyzers.</summary>
    public static readonly IReadOnlyList<Analyzer> All =
    [
        new("schema.ValidationAnalyzer", ValidationAnalysis.Run),
        new("gateway.IngressGatewayPortAnalyzer", GatewayAnalysis.Ports),
        new("gateway.SecretAnalyzer", GatewayAnalysis.Secrets),
        new("gateway.CertificateAnalyzer", GatewayAnalysis.Certificates),
        new("gateway.ConflictingGatewayAnalyzer", GatewayAnalysis.Conflicts),
        new("virtualservice.GatewayAnalyzer", VirtualServiceAnalysis.Gateways),
        new("virtualservice.ConflictingMeshGatewayHostsAnalyzer", VirtualServiceAnalysis.ConflictingHosts),
        new("virtualservice.DestinationHostAnalyzer", VirtualServiceAnalysis.DestinationHosts),
        new("virtualservice.DestinationRuleAnalyzer", VirtualServiceAnalysis.Subsets),
        new("destinationrule.CaCertificateAnalyzer", DestinationRuleAnalysis.Authorities),
        new("destinationrule.SubsetSelectPodAnalyzer", DestinationRuleAnalysis.Subsets),
        new("destinationrule.HostAnalyzer", DestinationRuleAnalysis.Hosts),
        new("sidecar.SelectorAnalyzer", SelectorAnalysis.Sidecars),
        new("sidecar.DefaultSelectorAnalyzer", SelectorAnalysis.DefaultSidecars),
        new("telemetry.SelectorAnalyzer", SelectorAnalysis.Telemetries),
        new("telemetry.DefaultSelectorAnalyzer", SelectorAnalysis.DefaultTelemetries),
        new("telemetry.ProviderAnalyzer", SelectorAnalysis.Providers),
        new("k8sgateway.SelectorAnalyzer", SelectorAnalysis.OnKubernetesGateways),
        new("auth.AuthorizationPoliciesAnalyzer", SelectorAnalysis.AuthorizationPolicies),
        new("injection.Analyzer", WorkloadAnalysis.Injection),
        new("applicationUID.Analyzer", WorkloadAnalysis.ApplicationUid),
        new("deployment.MultiServiceAnalyzer", ServiceAnalysis.Deployments),
        new("service.PortNameAnalyzer", ServiceAnalysis.PortNames),
        new("serviceentry.Analyzer", ServiceAnalysis.EntryAddresses),
        new("serviceentry.ConflictingServiceEntryProtocolAnalyzer", ServiceAnalysis.EntryProtocols),
        new("envoyfilter.EnvoyPatchAnalyzer", EnvoyFilterAnalysis.Run),
        new("annotations.K8sAnalyzer", AnnotationAnalysis.Placement),
        new("annotations.AlphaAnalyzer", AnnotationAnalysis.Alpha),
        new("conditions.ConditionAnalyzer", ConditionAnalysis.Run),
    ];

    /// <summary>All findings of all analyzers, or of the one named.</summary>
    public static IReadOnlyList<Diagnostic> Analyze(ResourceView view, AnalysisOptions options, string? only = null)
    {
        var context = new AnalysisContext(view, options);
        foreach (var analyzer in All.Where(a => only is null || a.Name.Equals(only, StringComparison.OrdinalIgnoreCase)))
        {
            analyzer.Run(context);
        }

        return context.Findings;
    }
}
