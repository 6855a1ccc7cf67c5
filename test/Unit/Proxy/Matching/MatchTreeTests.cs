using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Rbac;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Matching;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Matching;

/// <summary>Trees of questions: lists, maps, ranges, domains, and what they decide for RBAC.</summary>
public sealed class MatchTreeTests
{
    private sealed class Whole : MatchInput<string>
    {
        public override bool Read(string facts, ByteBuffer text)
        {
            text.Append(facts);
            return facts.Length > 0;
        }

        public override Address AddressOf(string facts) => Address.TryParse(facts, 0, out Address address) ? address : default;
    }

    private static MatchOutcome<string, string> To(string action) => new(action, null);

    private static Dictionary<string, MatchOutcome<string, string>> Map(params string[] keys) =>
        keys.ToDictionary(k => k, k => To($"<{k}>"));

    [Fact]
    public void The_longest_prefix_that_leads_anywhere_wins()
    {
        var nowhere = new MapTree<string, string>(new Whole(), Map("other"), byPrefix: false);
        var tree = new MapTree<string, string>(new Whole(),
            new Dictionary<string, MatchOutcome<string, string>> { ["/"] = To("root"), ["/a"] = To("a"), ["/a/b"] = new(null, nowhere) },
            byPrefix: true) { OnNoMatch = To("none") };
        Assert.Equal(("a", "a", "root", "none", "none"),
            (tree.Find("/a/b/c"), tree.Find("/ab"), tree.Find("/x"), tree.Find("x"), tree.Find("")));
    }

    [Theory]
    [InlineData("a.b.test", "<a.b.test>")]
    [InlineData("A.B.TEST", "<a.b.test>")]
    [InlineData("c.b.test", "<*.b.test>")]
    [InlineData("d.c.b.test", "<*.b.test>")]
    [InlineData("b.test", "<*.test>")]
    [InlineData("other", "<*>")]
    public void The_most_specific_domain_wins(string name, string found) =>
        Assert.Equal(found, new DomainTree<string, string>(new Whole(), Map("a.b.test", "*.b.test", "*.test", "*")).Find(name));

    [Fact]
    public void The_narrowest_range_wins_and_an_exclusive_one_ends_the_search()
    {
        Prefix.TryParse("10.0.0.0/8", out Prefix wide);
        Prefix.TryParse("10.1.0.0/16", out Prefix narrow);
        var nowhere = new MatchOutcome<string, string>(null, new ListTree<string, string>([]));
        Assert.Equal("wide",
            new RangeTree<string, string>(new Whole(), [(wide, To("wide"), false), (narrow, nowhere, false)]).Find("10.1.2.3"));
        Assert.Null(new RangeTree<string, string>(new Whole(), [(wide, To("wide"), false), (narrow, nowhere, true)]).Find("10.1.2.3"));
    }

    [Fact]
    public void Conditions_combine()
    {
        MatchCondition<string> begins = new TextCondition<string>(new Whole(), StringMatch.Of(StringMatchKind.Prefix, "10.")),
            address = new AddressCondition<string>(new Whole(), [Range("10.1.0.0/16")]);
        var tree = new ListTree<string, string>([
            (new SetCondition<string>([begins, address], all: true), To("both")),
            (new SetCondition<string>([begins, address], all: false), To("one")),
            (new NotCondition<string>(begins), To("neither"))]);
        Assert.Equal(("both", "one", "neither"), (tree.Find("10.1.0.1"), tree.Find("10.2.0.1"), tree.Find("x")));

        static Prefix Range(string text) => Prefix.TryParse(text, out Prefix range) ? range : default;
    }

    [Theory]
    [InlineData("/allowed?x=1", 200, "envoy.filters.http.rbac.policy.yes.allowed")]
    [InlineData("/logged", 200, "envoy.filters.http.rbac.policy.told.allowed")]
    [InlineData("/denied", 403, "envoy.filters.http.rbac.policy.no.denied")]
    [InlineData("/elsewhere", 403, "")]
    public void A_tree_decides_for_rbac(string path, int status, string counter)
    {
        RbacPolicy[] leaves = [RbacTree.Leaf("yes", RbacAction.Allow), RbacTree.Leaf("told", RbacAction.Log),
            RbacTree.Leaf("no", RbacAction.Deny)];
        MatchOutcome<IStreamFacts, RbacPolicy> Leaf(int at) => new(leaves[at], null);
        var tree = new MapTree<IStreamFacts, RbacPolicy>(new HeaderInput(HeadKind.Request, ":path"),
            new Dictionary<string, MatchOutcome<IStreamFacts, RbacPolicy>>
            {
                ["/allowed"] = Leaf(0),
                ["/logged"] = Leaf(1),
                ["/denied"] = Leaf(2),
            }, byPrefix: true);
        var store = new StatStore(1);
        var rig = new ProxyRig();
        rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        rig.Filters.Add(new RbacFilter("rbac", new RbacSettings(new RbacTree(tree, leaves), null, "", "") { CountsPolicies = true },
            RbacStats.In(store, "envoy.filters.http.", "", "")));
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        Assert.StartsWith($"HTTP/1.1 {status}", rig.Ask($"GET {path} HTTP/1.1\r\nHost: x.test\r\n\r\n"), StringComparison.Ordinal);
        if (status == 403)
            Assert.Contains(counter.Length > 0 ? "matched_policy[no]" : "matched_policy[none]", Assert.Single(rig.Records.Lines),
                StringComparison.Ordinal);
        string[] counted = [.. store.All().ToArray().Where(s => s.Name.Contains(".policy.", StringComparison.Ordinal) && s.Value == 1)
            .Select(s => s.Name)];
        Assert.Equal(counter.Length > 0 ? [counter] : [], counted);
    }
}
