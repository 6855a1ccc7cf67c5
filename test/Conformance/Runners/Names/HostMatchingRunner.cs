using Lateen.Api.Names;

namespace Lateen.Test.Conformance.Runners.Names;

/// <summary>host-matching: names, their matching and order, subset keys, domains, addresses, labels.</summary>
public sealed class HostMatchingRunner : RowsRunner
{
    /// <inheritdoc/>
    public override string Folder => "host-matching";

    /// <inheritdoc/>
    protected override void PlayAll()
    {
        Play("name-matches.json", r => Differs(r.Truth("out"), HostNames.Matches(r.Text("a"), r.Text("b"))));
        Play("name-subset-of.json", r => Differs(r.Truth("out"), HostNames.IsSubsetOf(r.Text("a"), r.Text("b"))));
        Play("more-specific.json", r => Differs(r.Truth("expected"), HostNames.IsMoreSpecific(r.Text("host1"), r.Text("host2"))));
        Play("most-specific-host-match.json",
            r => Differs(r.Text("want"), HostNames.MostSpecificMatch(r.Text("needle"), r.Texts("in")) ?? ""));
        Play("names-sort-order.json", r => Differs(List(r.Texts("want")), List(HostNames.SortBySpecificity(r.Texts("in")))));
        Play("names-intersection.json",
            r => Differs(List(r.Texts("intersection")), List(HostNames.Intersection(r.Texts("a"), r.Texts("b")))));
        Play("names-for-namespace.json",
            r => Differs(List(r.Texts("want")), List(HostNames.ForNamespace(r.Texts("hosts"), r.Text("namespace")))));
        Play("resolve-shortname.json", r =>
        {
            var meta = r.GetProperty("meta");
            return Differs(r.Text("out"), HostNames.Resolve(r.Text("input"), meta.Text("namespace"), meta.Text("domain")));
        });
        Play("scoped-fqdn.json", r => Differs(r.Truth("want"), HostNames.IsInScope(r.Text("scFqdn"), r.Text("namespace"))));
        Play("exportto-annotation.json",
            r => Differs(List(r.Texts("want")), List(HostNames.ExportedTo(r.Text("annotation"), r.Text("resourceNamespace")))));
        Play("parse-subset-key.json", r => ClusterName.TryParse(r.Text("input"), out var name)
        ? Differs(new ClusterName(r.Text("direction"), r.Number("port"), r.Text("subsetName"), r.Text("hostname")), name)
        : Differs("", r.Text("hostname")));
        Play("valid-subset-key.json", r => Differs(!r.Truth("expectErr"), ClusterName.IsWellFormed(r.Text("subsetkey"))));
        Play("subset-key-hostname.json", r => Differs(r.Text("out"), ClusterName.HostOf(r.Text("in"))));
        Play("subset-key.json",
            r => Differs(r.Text("want"), ClusterName.Outbound(r.Text("hostname"), r.Number("port"), r.Text("subset")).ToString()));
        Play("validate-fqdn.json", r => Differs(r.Truth("valid"), NameRules.Domain(r.Text("fqdn")) is null));
        Play("validate-wildcard-domain.json", r => Message(r.Text("out"), NameRules.WildcardDomain(r.Text("in"))));
        Play("validate-wildcard-domain-gateway.json", r => Message(r.Text("out"), NameRules.GatewayDomain(r.Text("in"), r.Truth("sni"))));
        Play("validate-trust-domain.json", r => Message(r.Text("err"), NameRules.TrustDomain(r.Text("in"))));
        Play("validate-ip.json", r => Differs(r.Truth("ok"), NameRules.IsAddress(r.Text("addr"))));
        Play("validate-subnet.json", r => Differs(r.Truth("ok"), NameRules.Subnet(r.Text("subnet")) is null));
        Play("ipv6-compliant.json", r => Differs(r.Text("match"), Addresses.Bracketed(r.Text("host"))));
        Play("domain-name.json", r => Differs(r.Text("match"), Addresses.WithPort(r.Text("host"), r.Number("port"))));
        Play("address-to-cidr.json", r =>
        {
            var want = r.GetProperty("want");
            var expected = want.ValueKind == System.Text.Json.JsonValueKind.Null
                ? "none" : $"{want.Text("addressPrefix")}/{want.Number("prefixLen")}";
            return Differs(expected, Addresses.TryParseRange(r.Text("addr"), out var address, out var bits) ? $"{address}/{bits}" : "none");
        });
        Play("labels-string.json", r => Differs(r.Text("expected"), LabelSets.Format(r.Map("input") ?? [])));
        Play("labels-validate.json",
            r => Differs(r.Truth("valid"), (r.Map("tags") ?? []).All(t => LabelSets.Validate(t.Key, t.Value) is null)));
        Play("labels-subset.json", r =>
        {
            var (left, right, expected) = (r.Map("left"), (IReadOnlyDictionary<string, string>?)r.Map("right"), r.GetProperty("expected"));
            return Differs((expected.Truth("subsetOf"), expected.Truth("selected")),
                (LabelSets.IsSubset(left, right), LabelSets.Selects(left, right)));
        });
    }

    private static string List(IEnumerable<string> texts) => string.Join(' ', texts);

    private static string? Message(string expectedPart, string? found) =>
        expectedPart.Length == 0 ? Differs(null, found) : found?.Contains(expectedPart, StringComparison.Ordinal) == true
            ? null : $"expected \"{expectedPart}\", found {found ?? "valid"}";
}
