using Lateen.Api.Names;
using Xunit;
using static Lateen.Test.Unit.Api.Vectors;

namespace Lateen.Test.Unit.Api.Names;

public sealed class HostMatchingVectorTests
{
    private static string List(IEnumerable<string> texts) => string.Join(' ', texts);

    private static string? Message(string expectedPart, string? found) =>
        expectedPart.Length == 0 ? Differs(null, found) : found?.Contains(expectedPart, StringComparison.Ordinal) == true ? null : $"expected \"{expectedPart}\", found {found ?? "valid"}";

    [Fact]
    public void Names_that_overlap() => Play("host-matching/name-matches.json", r => Differs(r.Truth("out"), HostNames.Matches(r.Text("a"), r.Text("b"))));

    [Fact]
    public void Names_within_names() => Play("host-matching/name-subset-of.json", r => Differs(r.Truth("out"), HostNames.IsSubsetOf(r.Text("a"), r.Text("b"))));

    [Fact]
    public void More_specific() => Play("host-matching/more-specific.json", r => Differs(r.Truth("expected"), HostNames.IsMoreSpecific(r.Text("host1"), r.Text("host2"))));

    [Fact]
    public void Most_specific_match() =>
        Play("host-matching/most-specific-host-match.json", r => Differs(r.Text("want"), HostNames.MostSpecificMatch(r.Text("needle"), r.Texts("in")) ?? ""));

    [Fact]
    public void Sort_order() => Play("host-matching/names-sort-order.json", r => Differs(List(r.Texts("want")), List(HostNames.SortBySpecificity(r.Texts("in")))));

    [Fact]
    public void Intersection() =>
        Play("host-matching/names-intersection.json", r => Differs(List(r.Texts("intersection")), List(HostNames.Intersection(r.Texts("a"), r.Texts("b")))));

    [Fact]
    public void Names_for_a_namespace() =>
        Play("host-matching/names-for-namespace.json", r => Differs(List(r.Texts("want")), List(HostNames.ForNamespace(r.Texts("hosts"), r.Text("namespace")))));

    [Fact]
    public void Short_names() => Play("host-matching/resolve-shortname.json", r =>
    {
        var meta = r.GetProperty("meta");
        return Differs(r.Text("out"), HostNames.Resolve(r.Text("input"), meta.Text("namespace"), meta.Text("domain")));
    });

    [Fact]
    public void Scopes() => Play("host-matching/scoped-fqdn.json", r => Differs(r.Truth("want"), HostNames.IsInScope(r.Text("scFqdn"), r.Text("namespace"))));

    [Fact]
    public void Export_annotation() =>
        Play("host-matching/exportto-annotation.json", r => Differs(List(r.Texts("want")), List(HostNames.ExportedTo(r.Text("annotation"), r.Text("resourceNamespace")))));

    [Fact]
    public void Cluster_names()
    {
        Play("host-matching/parse-subset-key.json", r => ClusterName.TryParse(r.Text("input"), out var name)
            ? Differs(new ClusterName(r.Text("direction"), r.Number("port"), r.Text("subsetName"), r.Text("hostname")), name)
            : Differs("", r.Text("hostname")));
        Play("host-matching/valid-subset-key.json", r => Differs(!r.Truth("expectErr"), ClusterName.IsWellFormed(r.Text("subsetkey"))));
        Play("host-matching/subset-key-hostname.json", r => Differs(r.Text("out"), ClusterName.HostOf(r.Text("in"))));
        Play("host-matching/subset-key.json", r => Differs(r.Text("want"), ClusterName.Outbound(r.Text("hostname"), r.Number("port"), r.Text("subset")).ToString()));
    }

    [Fact]
    public void Domains()
    {
        Play("host-matching/validate-fqdn.json", r => Differs(r.Truth("valid"), NameRules.Domain(r.Text("fqdn")) is null));
        Play("host-matching/validate-wildcard-domain.json", r => Message(r.Text("out"), NameRules.WildcardDomain(r.Text("in"))));
        Play("host-matching/validate-wildcard-domain-gateway.json", r => Message(r.Text("out"), NameRules.GatewayDomain(r.Text("in"), r.Truth("sni"))));
        Play("host-matching/validate-trust-domain.json", r => Message(r.Text("err"), NameRules.TrustDomain(r.Text("in"))));
    }

    [Fact]
    public void Addresses_and_ranges()
    {
        Play("host-matching/validate-ip.json", r => Differs(r.Truth("ok"), NameRules.IsAddress(r.Text("addr"))));
        Play("host-matching/validate-subnet.json", r => Differs(r.Truth("ok"), NameRules.Subnet(r.Text("subnet")) is null));
        Play("host-matching/ipv6-compliant.json", r => Differs(r.Text("match"), Addresses.Bracketed(r.Text("host"))));
        Play("host-matching/domain-name.json", r => Differs(r.Text("match"), Addresses.WithPort(r.Text("host"), r.Number("port"))));
        Play("host-matching/address-to-cidr.json", r =>
        {
            var want = r.GetProperty("want");
            var expected = want.ValueKind == System.Text.Json.JsonValueKind.Null ? "none" : $"{want.Text("addressPrefix")}/{want.Number("prefixLen")}";
            return Differs(expected, Addresses.TryParseRange(r.Text("addr"), out var address, out var bits) ? $"{address}/{bits}" : "none");
        });
    }

    [Fact]
    public void Labels()
    {
        Play("host-matching/labels-string.json", r => Differs(r.Text("expected"), LabelSets.Format(r.Map("input") ?? [])));
        Play("host-matching/labels-validate.json", r => Differs(r.Truth("valid"), (r.Map("tags") ?? []).All(t => LabelSets.Validate(t.Key, t.Value) is null)));
        Play("host-matching/labels-subset.json", r =>
        {
            var (left, right, expected) = (r.Map("left"), (IReadOnlyDictionary<string, string>?)r.Map("right"), r.GetProperty("expected"));
            return Differs((expected.Truth("subsetOf"), expected.Truth("selected")), (LabelSets.IsSubset(left, right), LabelSets.Selects(left, right)));
        });
    }
}
