using BenchmarkDotNet.Attributes;
using Lateen.Proxy.Filters.Rbac;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Telemetry;

namespace Lateen.Bench.Micro;

/// <summary>Station 6: a request against policies as the control plane writes them (paths and a method each), the last of which is its own;
/// bound: 2 µs for 500.</summary>
[MemoryDiagnoser]
public class Policies
{
    private RbacPolicies _policies = null!;
    private IStreamFacts _facts = null!;

    /// <summary>How many policies.</summary>
    [Params(10, 500)]
    public int Count { get; set; }

    /// <summary>Policies, half by exact paths and half by prefixes.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        _policies = new RbacPolicies(RbacAction.Allow, Enumerable.Range(0, Count).Select(Policy));
        _facts = new HeldExchange($"/service-{Count - 1}/items/17?page=2").Exchange.Facts;
    }

    /// <summary>The decision.</summary>
    [Benchmark]
    public bool Judge() => _policies.Allows(_facts, out _);

    private static RbacPolicy Policy(int i)
    {
        var path = new UrlPathRule(StringMatch.Of(i % 2 == 0 ? StringMatchKind.Exact : StringMatchKind.Prefix, $"/service-{i}/"));
        var method = new HeaderRule(new HeaderMatch(":method") { Value = StringMatch.Of(StringMatchKind.Exact, "GET") });
        return new RbacPolicy($"ns[default]-policy[p{i:D3}]-rule[0]",
            [new SetRule([new SetRule([path], false), new SetRule([method], false)], true)], [new AnyRule()]);
    }
}

/// <summary>Station 11: an exchange is remembered; bound: 0.3 µs.</summary>
[MemoryDiagnoser]
public class Remembering
{
    private readonly DecisionRing _ring = new(1);
    private readonly Lateen.Proxy.Exchanges.Exchange _exchange = new HeldExchange("/api/v1/reviews/17?page=2").Exchange;

    /// <summary>One record.</summary>
    [Benchmark]
    public void Remember() => _ring.OnEnd(_exchange);
}
