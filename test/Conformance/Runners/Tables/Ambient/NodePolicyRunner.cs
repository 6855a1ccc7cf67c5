using System.Text.Json;
using Google.Protobuf;
using Istio.Security;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Workloads;
using Lateen.Registry;
using Lateen.Test.Conformance.Frame;

namespace Lateen.Test.Conformance.Runners.Tables.Ambient;

/// <summary>AuthorizationPolicies and PeerAuthentications as node proxies get them.</summary>
internal sealed class NodePolicyRunner : FolderRunner
{
    // What decoding makes of objects that name no namespace; upstream's have none at all.
    private const string Namespaceless = "default";

    /// <inheritdoc/>
    public override string Folder => "ambient-policies";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        using var cases = JsonDocument.Parse(File.ReadAllText(Path.Combine(path, "cases.json")));
        foreach (var row in cases.RootElement.Items("cases"))
        {
            var text = File.ReadAllText(Path.Combine(path, row.Text("want")));
            var want = string.IsNullOrWhiteSpace(text) ? new List<Authorization>() : [Wanted(Messages.Yaml(text))];
            var resources = new ResourceDecoder().Decode(File.ReadAllText(Path.Combine(path, row.Text("in"))), row.Text("in"), []);
            var settings = Rows.Settings();
            // The common policy is there as soon as anybody demands anything; the goldens are about the others.
            var made = AmbientView.Of(Rows.Snapshot(RegistryView.Empty, settings, [.. resources])).Policies.Where(
                policy => !policy.Equals(NodePeerPolicies.Strict(settings.RootNamespace)));
            var difference = Rows.SameList(made.Select(static policy => policy.ToString()),
                want.Select(static policy => policy.ToString()));
            yield return new CaseResult(row.Text("name"), difference is null, difference ?? "");
        }
    }

    private static Authorization Wanted(JsonElement golden)
    {
        var made = Rows.Message<Authorization>(golden);
        if (made.Namespace.Length == 0) made.Namespace = Namespaceless;
        return made;
    }
}
