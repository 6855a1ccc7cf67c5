using Google.Protobuf;
using Lateen.Api.Diagnostics;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Pod = Lateen.Config.Resources.Resource<Kubernetes.Core.V1.Pod>;

namespace Lateen.Config.Analysis;

/// <summary>The view, what analyzers ask of it, and what they found.</summary>
public sealed class AnalysisContext(ResourceView view, AnalysisOptions options)
{
    private const string Suppress = "galley.istio.io/analyze-suppress";
    private static readonly HashSet<string> SystemNamespaces = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage",
        "istio-system"];

    private readonly List<Diagnostic> _findings = [];
    private EntryHosts? _entries;

    public ResourceView View { get; } = view;

    public AnalysisOptions Options { get; } = options;

    public IReadOnlyList<Diagnostic> Findings => _findings;

    public void Report(DiagnosticCode code, Resource resource, string path, string text)
    {
        if (resource.Annotations.TryGetValue(Suppress, out var suppressed)
            && suppressed.Split(',').Select(s => s.Trim()).Any(s => s == "*" || s == code.Id)) return;
        _findings.Add(new Diagnostic
        {
            Code = code, Level = code.Level, Text = text, Path = path, Resource = resource.Key.ToString(),
            Position = Options.PositionOf(resource, path), Remedy = code.Remedy,
        });
    }

    /// <summary>A host as an object of the namespace writes it, in full.</summary>
    public string HostOf(string host, string ns) => HostNames.Resolve(host, ns, Options.ClusterDomain);

    /// <summary>Pods that the labels select, in one namespace or everywhere (null).</summary>
    public IEnumerable<Pod> Pods(IDictionary<string, string> selector, string? ns = null) =>
        (ns is null ? View.All(Kinds.Pod) : View.In(Kinds.Pod, ns)).Where(p => LabelSets.IsSubset(selector, p.Labels));

    /// <summary>The service of a full host name, or null.</summary>
    public Resource<Kubernetes.Core.V1.Service>? Service(string host)
    {
        var suffix = ".svc." + Options.ClusterDomain;
        var parts = host.EndsWith(suffix, StringComparison.Ordinal) ? host[..^suffix.Length].Split('.') : [];
        return parts.Length == 2 ? View.Find(Kinds.Service, parts[1], parts[0]) : null;
    }

    /// <summary>Service entries that name the host.</summary>
    public IEnumerable<Resource<Istio.Networking.V1Alpha3.ServiceEntry>> Entries(string host) =>
        (_entries ??= new EntryHosts(View.All(Kinds.ServiceEntry))).Naming(host);

    /// <summary>Namespaces of the platform, in which nothing of the user's is expected.</summary>
    public bool IsSystem(string ns) => SystemNamespaces.Contains(ns) || ns == Options.RootNamespace;
}
