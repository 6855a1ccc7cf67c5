// Up: a whole mesh on this machine from a folder of Kubernetes-style YAML. It stands in for what a cluster does beside Istio: it runs what
// Deployments tell (as a kubelet), gives Services their addresses and lists their endpoints (as the API server and the endpoint
// controller), and hands all of it to the control plane as resources, the same way in as everything else. What the mesh does with them is
// not known here.
//
// `Manifest` is what was written, `WorkloadPlan` what is to run, `ClusterObjects` what the control plane is told of it, `Mesh` what runs.
// State is one folder; whoever holds its lock is the mesh of that folder.
//
// Refused: containers (a runtime, images and a registry for a first look at a mesh), and a YAML dialect of our own.
using System.Globalization;
using System.Text.Json.Nodes;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Up;

/// <summary>What a folder describes.</summary>
/// <param name="Workloads">What its Deployments tell to run, one for each replica.</param>
/// <param name="Services">Its Services, as written.</param>
/// <param name="Others">Everything else: configuration for the control plane.</param>
/// <param name="Page">The path that its routes at the gateway answer first, or none.</param>
public sealed record Manifest(IReadOnlyList<WorkloadPlan> Workloads, IReadOnlyList<JsonObject> Services, IReadOnlyList<SourceText> Others,
    string? Page)
{
    private static readonly HashSet<string> Ours = ["Deployment", "Service", "ServiceAccount", "Namespace"];

    /// <summary>Reads every YAML file of a folder.</summary>
    /// <exception cref="CommandException">A file cannot be read or is no YAML, or a Deployment tells no command.</exception>
    public static Manifest Read(string folder)
    {
        if (!Directory.Exists(folder))
            throw new CommandException($"there is no folder {folder}",
                "Name a folder of YAML files, for example `lateen up samples/bookinfo`.");
        var mistakes = new DiagnosticBag();
        var workloads = new List<WorkloadPlan>();
        var services = new List<JsonObject>();
        var others = new List<SourceText>();
        string? page = null;
        foreach (SourceText source in SourceFiles.Read([folder], recursive: null, Printing.Terminal.OfProcess()))
        {
            foreach (Document document in DocumentReader.Read(source.Text, source.Name, mistakes))
            {
                if (Json(document.Root) is not JsonObject resource) continue;
                string kind = resource["kind"]?.ToString() ?? "";
                if (kind == "Deployment")
                    workloads.AddRange(WorkloadPlan.OfDeployment(resource, folder, $"{source.Name}:{document.FirstLine}"));
                else if (kind == "Service") services.Add(resource);
                if (kind == "VirtualService") page ??= FirstPath(resource);
                if (!Ours.Contains(kind)) others.Add(new SourceText(source.Name, new string('\n', document.FirstLine - 1) + document.Text));
            }
        }
        if (mistakes.HasErrors) throw new CommandException(mistakes.First(m => m.IsError).ToString());
        return new Manifest(workloads, services, others, page);
    }

    private static string? FirstPath(JsonObject virtualService) => (virtualService["spec"]?["http"] as JsonArray)?
        .SelectMany(rule => rule?["match"] as JsonArray ?? [])
        .Select(match => match?["uri"]?["exact"]?.ToString()).FirstOrDefault(path => path is not null);

    private static JsonNode? Json(Node? node) => node switch
    {
        MappingNode mapping => new JsonObject(mapping.Members.Select(m => KeyValuePair.Create(m.Name, Json(m.Value)))),
        SequenceNode list => new JsonArray(list.Items.Select(Json).ToArray()),
        ScalarNode { Kind: ScalarKind.Null } or null => null,
        ScalarNode { Kind: ScalarKind.Boolean } truth => bool.Parse(truth.Value),
        ScalarNode { Kind: ScalarKind.Integer } number
            when long.TryParse(number.Value, CultureInfo.InvariantCulture, out long whole) => whole,
        ScalarNode { Kind: ScalarKind.Float } number
            when double.TryParse(number.Value, CultureInfo.InvariantCulture, out double real) => real,
        ScalarNode scalar => scalar.Value,
        _ => null,
    };
}
