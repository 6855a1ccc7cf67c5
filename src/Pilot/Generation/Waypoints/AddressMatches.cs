using Envoy.Extensions.Matching.CommonInputs.Network.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Generation.Filters;
using Xds.Core.V3;
using Xds.Type.Matcher.V3;
using OnMatch = Xds.Type.Matcher.V3.Matcher.Types.OnMatch;
using Range = Xds.Type.Matcher.V3.IPMatcher.Types.IPRangeMatcher;
using Tree = Xds.Type.Matcher.V3.Matcher.Types.MatcherTree;

namespace Lateen.Pilot.Generation.Waypoints;

/// <summary>Chooses filter chains by the address meant, then by port, then by what the first bytes look like.</summary>
internal sealed class AddressMatches
{
    private readonly IPMatcher _matcher = new();

    /// <summary>Chains by port for the addresses of a service; where both are named the first bytes decide.</summary>
    public void AddPorts(IEnumerable<string> addresses, IReadOnlyList<(int Port, string? Http, string? Tcp)> ports)
    {
        if (ports.Count == 0) return;
        var map = new Tree.Types.MatchMap();
        foreach (var (port, http, tcp) in ports)
            map.Map[port.ToString(System.Globalization.CultureInfo.InvariantCulture)] = http is not null && tcp is not null
                ? new OnMatch { Matcher = Sniffed(http, tcp) } : Chain((http ?? tcp)!);
        Add(addresses, new Matcher { MatcherTree = new Tree { Input = Input("port", new DestinationPortInput()), ExactMatchMap = map } });
    }

    /// <summary>Chains for all ports of addresses, by the first bytes.</summary>
    public void AddSniffed(IEnumerable<string> addresses, string http, string tcp) => Add(addresses, Sniffed(http, tcp));

    /// <summary>The whole matcher.</summary>
    public Matcher Build() => new()
    {
        MatcherTree = new Tree { Input = Input("ip", new DestinationIPInput()), CustomMatch = Input("ip", _matcher) },
    };

    private void Add(IEnumerable<string> addresses, Matcher inner)
    {
        var range = new Range { OnMatch = new OnMatch { Matcher = inner } };
        foreach (var address in addresses)
        {
            if (Listeners.FilterChainPlan.CidrOf(address) is { } cidr)
                range.Ranges.Add(new CidrRange { AddressPrefix = cidr.AddressPrefix, PrefixLen = cidr.PrefixLen });
        }
        if (range.Ranges.Count > 0) _matcher.RangeMatchers.Add(range);
    }

    private static Matcher Sniffed(string http, string tcp)
    {
        var map = new Tree.Types.MatchMap { Map = { ["'h2c'"] = Chain(http), ["'http/1.1'"] = Chain(http) } };
        return new Matcher
        {
            MatcherTree = new Tree { Input = Input("application-protocol", new ApplicationProtocolInput()), ExactMatchMap = map },
            OnNoMatch = Chain(tcp),
        };
    }

    private static OnMatch Chain(string name) => new() { Action = Input(name, new StringValue { Value = name }) };

    private static TypedExtensionConfig Input(string name, IMessage config) => new() { Name = name, TypedConfig = Wire.Pack(config) };
}
