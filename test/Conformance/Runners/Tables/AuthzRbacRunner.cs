using System.Text.Json;
using Google.Protobuf;
using Istio.Security.V1Beta1;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using Lateen.Test.Conformance.Frame;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>AuthorizationPolicies to filters.</summary>
internal sealed class AuthzRbacRunner : FolderRunner
{
    private static readonly Dictionary<string, string> Labels = new() { ["app"] = "httpbin", ["version"] = "v1" };

    /// <inheritdoc/>
    public override string Folder => "authz-rbac";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        var cases = JsonDocument.Parse(File.ReadAllText(Path.Combine(path, "cases.json"))).RootElement.GetProperty("cases");
        foreach (var row in cases.EnumerateArray())
        {
            var want = row.Texts("want").Select(file => Messages.Yaml(File.ReadAllText(Path.Combine(path, file)))).ToList();
            var resources = new ResourceDecoder().Decode(File.ReadAllText(Path.Combine(path, row.Text("in"))), row.Text("in"), []);
            var difference = Messages.Difference(Filters(row, [.. resources]), want);
            yield return new CaseResult(row.Text("name"), difference is null, difference ?? "");
        }
    }

    private static List<IMessage> Filters(JsonElement row, Resource[] resources)
    {
        var provider = new Service
        {
            Hostname = "my-custom-ext-authz.foo.svc.cluster.local",
            Name = "my-custom-ext-authz",
            Namespace = "foo",
            Source = ServiceSource.Kubernetes,
            Resolution = ServiceResolution.ClientSide,
        };
        var registry = Rows.Registry([provider]);
        var snapshot = Rows.Snapshot(registry, Rows.Settings(), resources);
        var target = new PolicyTarget("foo", Labels);
        IEnumerable<Meant<AuthorizationPolicy>> policies = WorkloadPolicies.AuthorizationPolicies(snapshot.Policies, target, "");
        var access = new AccessSecurity(policies, Rows.Mesh(row.Field("meshConfig")), registry, row.Texts("trustDomains"));
        var isCustom = row.Field("meshConfig") is not null;
        return row.Text("protocol") == "http"
            ? [.. isCustom ? access.CustomHttp() : access.Http()]
            : [.. isCustom ? access.CustomTcp() : access.Tcp()];
    }
}
