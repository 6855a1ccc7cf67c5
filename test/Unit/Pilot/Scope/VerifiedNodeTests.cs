using Envoy.Config.Core.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Scope;
using Xunit;

namespace Lateen.Test.Unit.Pilot.Scope;

public sealed class VerifiedNodeTests
{
    private const string Own = "spiffe://cluster.local/ns/shop/sa/productpage";

    [Theory]
    [InlineData("shop", "productpage", true)]
    [InlineData("shop", "", true)]
    [InlineData("plain", "productpage", false)]
    [InlineData("shop", "admin", false)]
    public void A_proxy_is_what_it_has_proved(string ns, string account, bool fits)
    {
        ProxyNode node = Node(ns, account);
        ProxyNode? verified = VerifiedNode.Of(node, ["spiffe://cluster.local/ns/other/sa/x", Own]);
        Assert.Equal(fits ? Own : null, verified?.VerifiedIdentity?.ToString());
        if (!fits)
            Assert.Equal($"authorization failed: no identities ([{Own}]) matched {ns}/{account}", VerifiedNode.Stranger(node, [Own]));
    }

    [Fact]
    public void Who_was_not_asked_has_proved_nothing()
    {
        Assert.Null(VerifiedNode.Of(Node("shop", "productpage"), null)!.VerifiedIdentity);
        Assert.Null(VerifiedNode.Of(Node("shop", "productpage"), []));
    }

    private static ProxyNode Node(string ns, string account)
    {
        var metadata = new Struct { Fields = { ["NAMESPACE"] = Value.ForString(ns), ["SERVICE_ACCOUNT"] = Value.ForString(account) } };
        return NodeParser.Parse(new Node { Id = $"sidecar~10.10.0.21~p.{ns}~{ns}.svc.cluster.local", Metadata = metadata }).Node!;
    }
}
