using Google.Protobuf;
using Lateen.Api.Diagnostics;
using Lateen.Config.Analysis.Analyzers;
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

    /// <summary>The kind of proxy image that the mesh's settings ask for, such as <c>distroless</c>.</summary>
    public string ImageType { get; init; } = "";

    /// <summary>The time, for certificates.</summary>
    public DateTimeOffset Now { get; init; }

    /// <summary>Finds the place of a path in an object's text: who asks again and again remembers it.</summary>
    public Func<Resource, string, SourcePosition> PositionOf { get; init; } = static (resource, path) => resource.PositionOf(path);
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
        new("injection.ImageAnalyzer", InjectorAnalysis.Images),
        new("injection.ImageAutoAnalyzer", InjectorAnalysis.AutoImages),
        new("webhook.Analyzer", InjectorAnalysis.Webhooks),
        new("externalcontrolplane.ExternalControlPlaneAnalyzer", InjectorAnalysis.ExternalControlPlane),
        new("authn.BlockedCIDRsAnalyzer", SelectorAnalysis.KeyAddresses),
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

    private const string Validation = "schema.ValidationAnalyzer";

    /// <summary>Whether somebody knows an analyzer by this name; that of validation may be followed by a kind.</summary>
    public static bool IsKnown(string name) => All.Any(a => Is(a, name)) || ValidatedKind(name) is not null;

    /// <summary>All findings of all analyzers, or of the one named.</summary>
    public static IReadOnlyList<Diagnostic> Analyze(ResourceView view, AnalysisOptions options, string? only = null)
    {
        var context = new AnalysisContext(view, options);
        if (only is not null && ValidatedKind(only) is { } kind)
        {
            ValidationAnalysis.Run(context, kind);
            return context.Findings;
        }

        foreach (var analyzer in All.Where(a => only is null || Is(a, only))) analyzer.Run(context);
        return context.Findings;
    }

    /// <summary>All findings of some analyzers, one analyzer's after the other's.</summary>
    /// <param name="view">The objects.</param>
    /// <param name="options">What analysis has to know beside them.</param>
    /// <param name="names">The analyzers' names.</param>
    public static IReadOnlyList<Diagnostic> AnalyzeWith(ResourceView view, AnalysisOptions options, IEnumerable<string> names)
    {
        var context = new AnalysisContext(view, options);
        foreach (var name in names) All.First(analyzer => Is(analyzer, name)).Run(context);
        return context.Findings;
    }

    /// <summary>What differs between clusters that are one mesh.</summary>
    /// <param name="views">The objects of each cluster, by its name.</param>
    /// <param name="options">What analysis has to know beside them.</param>
    public static IReadOnlyList<Diagnostic> AnalyzeClusters(IReadOnlyDictionary<string, ResourceView> views, AnalysisOptions options) =>
        ClustersAnalysis.Services(views, options);

    private static bool Is(Analyzer analyzer, string name) => analyzer.Name.Equals(name, StringComparison.OrdinalIgnoreCase);

    private static ResourceKind? ValidatedKind(string name) =>
        name.StartsWith(Validation + ".", StringComparison.OrdinalIgnoreCase) ? Kinds.FindByWord(name[(Validation.Length + 1)..]) : null;
}
