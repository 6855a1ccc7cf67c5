using System.Diagnostics;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Rbac;
using Lateen.Proxy.Routing;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>Many policies at once: the index leaves out none that matters, and keeps a decision short.</summary>
public sealed class RbacTests
{
    private static readonly string[] Paths = ["/", "/a", "/A", "/a/b", "/a/b/c", "/b?x=1", "/shop/items", "/shop/items/7#f", "/élan", "*"],
        Methods = ["GET", "POST", "DELETE"], Hosts = ["a.test", "B.test", "a.test:80"];

    private static StringMatch Text(Random random, string[] from)
    {
        string text = from[random.Next(from.Length)].Split('?', '#')[0];
        return random.Next(5) switch
        {
            0 => StringMatch.Of(StringMatchKind.Prefix, text[..random.Next(text.Length + 1)]),
            1 => StringMatch.Of(StringMatchKind.Suffix, text[^1..]),
            2 => StringMatch.Of(StringMatchKind.Exact, text.ToUpperInvariant(), ignoreCase: true),
            _ => StringMatch.Of(StringMatchKind.Exact, text),
        };
    }

    private static RbacRule Rule(Random random, int depth) => random.Next(depth > 3 ? 4 : 7) switch
    {
        0 => new UrlPathRule(Text(random, Paths)),
        1 => new HeaderRule(new HeaderMatch(":method") { Value = Text(random, Methods), Invert = random.Next(4) == 0 }),
        2 => new HeaderRule(new HeaderMatch("host") { Value = Text(random, Hosts) }),
        3 => random.Next(4) == 0 ? new AnyRule() : new UrlPathRule(Text(random, Paths)),
        4 => new NotRule(Rule(random, depth + 1)),
        _ => new SetRule([.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Rule(random, depth + 1))], random.Next(2) == 0),
    };

    [Fact]
    public void An_index_finds_what_looking_at_each_finds()
    {
        var random = new Random(11);
        var filter = new Comparing();
        for (int set = 0; set < 60; set++)
            filter.Sets.Add([.. Enumerable.Range(0, random.Next(12, 200))
                .Select(i => new RbacPolicy($"p{i:D3}", [Rule(random, 0)], [new AnyRule()]))]);
        var rig = new ProxyRig();
        rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        rig.Filters.Add(filter);
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        foreach (string path in Paths.Where(static p => p[0] == '/'))
        {
            foreach (string method in Methods)
            {
                foreach (string host in Hosts)
                    rig.Ask($"{method} {path.Replace("é", "%C3%A9", StringComparison.Ordinal)} "
                        + $"HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n", 100_000);
            }
        }
        Assert.True(filter.Compared > 3000);
        Assert.Empty(filter.Differences);
    }

    [Fact]
    public void Five_hundred_policies_are_judged_without_allocating_and_soon()
    {
        var policies = new RbacPolicies(RbacAction.Deny, Enumerable.Range(0, 500).Select(i => new RbacPolicy($"p{i:D3}",
            [
                new SetRule(
                    [
                        new SetRule(
                            [new UrlPathRule(StringMatch.Of(i % 2 == 0 ? StringMatchKind.Exact : StringMatchKind.Prefix,
                                $"/service-{i}/"))], false),
                        new SetRule([new HeaderRule(new HeaderMatch(":method") { Value = StringMatch.Of(StringMatchKind.Exact, "GET") })],
                            false)], true)],
            [new AnyRule()])));
        var filter = new Measuring(policies);
        var rig = new ProxyRig();
        rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        rig.Filters.Add(filter);
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        rig.Ask("GET /service-777/items HTTP/1.1\r\nHost: x.test\r\n\r\n");
        Assert.Equal(0, filter.Allocated);
        Assert.True(filter.Nanoseconds < 20_000, $"{filter.Nanoseconds} ns");
        TestContext.Current.TestOutputHelper?.WriteLine($"{filter.Nanoseconds} ns");
    }

    private sealed class Comparing() : HttpFilter("comparing")
    {
        private List<RbacPolicies>? _indexed;

        public List<RbacPolicy[]> Sets { get; } = [];

        public List<string> Differences { get; } = [];

        public int Compared { get; private set; }

        public override FilterPhases Phases => FilterPhases.RequestHead;

        public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
        {
            _indexed ??= [.. Sets.Select(static s => new RbacPolicies(RbacAction.Allow, s))];
            for (int i = 0; i < Sets.Count; i++)
            {
                _indexed[i].Allows(slot.Exchange.Facts, out RbacPolicy? found);
                RbacPolicy? first = Sets[i].FirstOrDefault(p => p.Matches(slot.Exchange.Facts));
                Compared++;
                if (!ReferenceEquals(found, first))
                    Differences.Add($"set {i}: {found?.Name ?? "none"} for {first?.Name ?? "none"}");
            }
            return FilterVerdict.Continue;
        }
    }

    private sealed class Measuring(RbacPolicies policies) : HttpFilter("measuring")
    {
        public long Allocated { get; private set; }

        public double Nanoseconds { get; private set; }

        public override FilterPhases Phases => FilterPhases.RequestHead;

        public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
        {
            for (int i = 0; i < 3000; i++)
                policies.Allows(slot.Exchange.Facts, out _);
            long before = GC.GetAllocatedBytesForCurrentThread();
            long started = Stopwatch.GetTimestamp();
            for (int i = 0; i < 2000; i++)
                policies.Allows(slot.Exchange.Facts, out _);
            Nanoseconds = Stopwatch.GetElapsedTime(started).TotalNanoseconds / 2000;
            Allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            return FilterVerdict.Continue;
        }
    }
}
