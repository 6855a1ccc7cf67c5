using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.ControlPlane.Injection;
using Lateen.Injector.Pods;
using Lateen.Injector.Templates;
using Lateen.Injector.Workloads;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Injection;

/// <summary>Plays <c>inject</c>: manifests of workloads, and what they are with a sidecar.</summary>
public sealed class InjectRunner : RowsRunner
{
    private static readonly Dictionary<string, string> NamespaceAnnotations = new()
    {
        ["openshift.io/sa.scc.uid-range"] = "1000620000/10000", ["openshift.io/sa.scc.supplemental-groups"] = "1000620000/10000",
    };

    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "inject";

    /// <inheritdoc/>
    public override IEnumerable<Frame.CaseResult> Run(string path)
    {
        _path = path;
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", Case);

    private string? Case(JsonElement row)
    {
        MeshInjection mesh = Installation.Of(row, _path);
        // Only the webhook sees namespaces.
        Func<JsonObject, WorkloadOwner, InjectionResult> inject = row.Truth("webhookOnly")
            ? (pod, owner) => mesh.Inject(pod, owner, null, NamespaceAnnotations) : (pod, owner) => mesh.Inject(pod, owner);
        var manifests = new ManifestInjection(inject);
        JsonObject[] have;
        try
        {
            have = [.. Read(row.Text("in")).Select(manifests.Inject)];
        }
        catch (TemplateException failure)
        {
            string wanted = row.Text("expectErrorContains");
            return wanted.Length > 0 && failure.Message.Contains(wanted, StringComparison.OrdinalIgnoreCase) ? null : failure.Message;
        }
        if (row.Text("expectErrorContains") is { Length: > 0 } expected) return $"expected a refusal with {expected}";
        JsonObject[] want = Read(row.Text("want"));
        if (have.Length != want.Length) return $"have {have.Length} objects, want {want.Length}";
        return have.Zip(want).Select(pair => KubernetesObjects.Difference(pair.First, pair.Second))
            .FirstOrDefault(difference => difference is not null);
    }

    private JsonObject[] Read(string file) => [.. PlainText.Trees(File.ReadAllText(Path.Combine(_path, file))).OfType<JsonObject>()];
}
