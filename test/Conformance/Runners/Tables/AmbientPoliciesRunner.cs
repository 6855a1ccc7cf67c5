using Istio.Security;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.GatewayApi;
using Lateen.Test.Conformance.Runners.Names;
using Peer = Lateen.Config.Resources.Resource<Istio.Security.V1Beta1.PeerAuthentication>;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Plays <c>ambient-policies</c>: policies in the words of a node's tunnel proxy.</summary>
public sealed class AmbientPoliciesRunner : RowsRunner
{
    private const string Root = "istio-system";
    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "ambient-policies";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        _path = path;
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", row =>
    {
        IReadOnlyList<Resource> resources = [.. new ResourceDecoder().Decode(Read(row.Text("in")), "", [])];
        var bag = new DiagnosticBag();
        if (resources.Count == 0) return "the policies cannot be read";
        Authorization? wanted = DocumentReader.ReadSingle(Read(row.Text("want")), "", bag) is { } root ? new MessageReader("", bag).Read<Authorization>(root) : null;
        if (bag.HasErrors) return "the expectation cannot be read: " + bag.First(d => d.IsError).Text;
        Authorization? made = resources.OfType<Resource<Istio.Security.V1Beta1.AuthorizationPolicy>>().FirstOrDefault() is { } policy
            ? TunnelPolicies.Of(policy.Name, policy.Namespace, policy.Spec, Root) : Converted([.. resources.OfType<Peer>()]);
        // The recording's objects may be in no namespace at all.
        if (made is not null && wanted?.Namespace == "" && made.Namespace == "default") made.Namespace = "";
        return Differs(wanted, made);
    });

    private static Authorization? Converted(Peer[] all)
    {
        Peer own = all.FirstOrDefault(peer => peer.Spec.Selector is not null) ?? all[^1];
        MtlsMode inherited = Mode(all.FirstOrDefault(peer => peer != own && peer.Namespace != Root), Mode(all.FirstOrDefault(peer => peer != own && peer.Namespace == Root), MtlsMode.Permissive));
        return TunnelPolicies.Of(own.Name, own.Namespace, own.Spec, inherited, Root);
    }

    private static MtlsMode Mode(Peer? peer, MtlsMode inherited) => PeerAuthenticationRules.Of(peer?.Spec.Mtls, inherited);

    private string Read(string file) => File.ReadAllText(Path.Combine(_path, file));
}
