using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Generation.Patches;
using Operation = Istio.Networking.V1Alpha3.EnvoyFilter.Types.Patch.Types.Operation;
using Xunit;

namespace Lateen.Test.Unit.Pilot.Generation;

public sealed class PatchTests
{
    [Fact]
    public void MergeReplacesDurationsAndAppendsToLists()
    {
        var into = new VirtualHost { Name = "a", Domains = { "a" } };
        Merging.Into(into, new VirtualHost { Domains = { "b" } });
        Assert.Equal("a", into.Name);
        Assert.Equal(["a", "b"], into.Domains);

        var action = new RouteAction { Timeout = new Duration { Seconds = 1, Nanos = 250_000_000 } };
        Merging.Into(action, new RouteAction { Timeout = new Duration { Seconds = 2 } });
        Assert.Equal(new Duration { Seconds = 2 }, action.Timeout);
    }

    [Fact]
    public void MergeCanReplaceLists()
    {
        var into = new VirtualHost { Domains = { "a" } };
        Merging.Into(into, new VirtualHost { Domains = { "b" } }, replaceLists: true);
        Assert.Equal(["b"], into.Domains);
    }

    [Fact]
    public void AMergedMessageIsNotSharedWithThePatch()
    {
        var patch = new FilterChain { FilterChainMatch = new FilterChainMatch { TransportProtocol = "tls" } };
        var into = new FilterChain();
        Merging.Into(into, patch);
        into.FilterChainMatch.TransportProtocol = "raw_buffer";
        Assert.Equal("tls", patch.FilterChainMatch.TransportProtocol);
    }

    [Theory]
    [InlineData(Operation.InsertBefore, "b", "a n b c")]
    [InlineData(Operation.InsertAfter, "b", "a b n c")]
    [InlineData(Operation.InsertBefore, "", "n a b c")]
    [InlineData(Operation.InsertAfter, "", "a b c n")]
    [InlineData(Operation.InsertFirst, "b", "n a b c")]
    [InlineData(Operation.Replace, "b", "a n c")]
    [InlineData(Operation.Remove, "b", "a c")]
    [InlineData(Operation.Remove, "", "a b c")]
    [InlineData(Operation.InsertAfter, "x", "a b c")]
    public void ListsAreEditedWhereTheNameIs(Operation operation, string name, string want)
    {
        var list = new List<string> { "a", "b", "c" };
        ListEdits.Apply(list, operation, name.Length > 0, item => item == name, () => "n");
        Assert.Equal(want, string.Join(' ', list));
    }
}
