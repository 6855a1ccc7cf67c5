using System.Text;
using Lateen.Proxy.Tls;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tls;

/// <summary>Who was vouched for is remembered, and no longer than that is true.</summary>
public sealed class KnownChainsTests : TlsMeeting
{
    private static TlsOptions Unresumed(TlsOptions options) => options with { Resumption = false };

    [Fact]
    public void The_same_chain_is_read_once()
    {
        TlsContext client = Context(Unresumed(ClientSide(Client))), server = Context(Server(Trust()));
        Peer first = Meet(client, server).FarTls.Peer!, second = Meet(client, server).FarTls.Peer!;
        Assert.Equal((false, false, true, true), (first.Resumed, second.Resumed, first.PeerValidated, second.PeerValidated));
        Assert.Same(first.PeerUris, second.PeerUris);
        Peer other = Meet(Context(Unresumed(ClientSide(Root.Issue("O=mesh", ["URI:spiffe://cluster.local/ns/default/sa/other"])))),
            server).FarTls.Peer!;
        Assert.Equal(["spiffe://cluster.local/ns/default/sa/other"], other.PeerUris);
    }

    [Fact]
    public void It_is_refused_when_its_certificate_ends()
    {
        TlsCertificate brief = Root.Issue("O=mesh", ["URI:" + ClientUri], until: new DateTimeOffset(2026, 1, 2, 0, 0, 0, TimeSpan.Zero));
        TlsContext client = Context(Unresumed(ClientSide(brief))), server = Context(Server(Trust()));
        Assert.Equal("word", Meet(client, server).Near.Text);
        Assert.Equal("word", Meet(client, server).Near.Text);
        _network.Advance(2L * 86_400_000_000);
        Assert.Contains("certificate has expired", Meet(client, server).FarTls.FailureReason);
        TlsContext patient = Context(Server(Trust() with { AllowExpired = true }));
        Assert.Equal("word", Meet(client, patient).Near.Text);
        Assert.Equal("word", Meet(client, patient).Near.Text);
    }

    [Fact]
    public void A_leaf_is_known_with_what_came_behind_it_only()
    {
        TlsCertificate whole = Middle.Issue("O=mesh", ["URI:" + ClientUri], via: Middle);
        string pem = Encoding.ASCII.GetString(whole.Chain.Span);
        TlsCertificate alone = whole with { Chain =
            Encoding.ASCII.GetBytes(pem[..pem.IndexOf("-----BEGIN", 1, StringComparison.Ordinal)]) };
        TlsContext server = Context(Server(Trust()));
        Assert.Equal("word", Meet(Context(Unresumed(ClientSide(whole))), server).Near.Text);
        Outcome without = Meet(Context(Unresumed(ClientSide(alone))), server);
        Assert.Contains("unable to get local issuer certificate", without.FarTls.FailureReason);
        Assert.Equal("word", Meet(Context(Unresumed(ClientSide(whole))), server).Near.Text);
    }

    [Fact]
    public void A_change_of_trust_knows_nobody()
    {
        TlsContext client = Context(Unresumed(ClientSide(Client)));
        Assert.Equal("word", Meet(client, Context(Server(Trust()))).Near.Text);
        Assert.Contains("unable to get local issuer certificate",
            Meet(client, Context(Server(new TlsValidation { TrustedCa = OtherRoot.Pem }))).FarTls.FailureReason);
        TlsContext revoking = Context(Server(Trust() with { Crl = Root.Revoke(Client) }));
        Assert.Contains("certificate revoked", Meet(client, revoking).FarTls.FailureReason);
        Assert.Contains("certificate revoked", Meet(client, revoking).FarTls.FailureReason);
    }

    [Fact]
    public void Lists_of_a_trust_domain_count()
    {
        var domains = new Dictionary<string, ReadOnlyMemory<byte>> { ["cluster.local"] = Root.Pem };
        TlsContext server = Context(Server(new TlsValidation { TrustDomains = domains, Crl = Root.Revoke(Client) }));
        Assert.Contains("certificate revoked", Meet(Context(Unresumed(ClientSide(Client))), server).FarTls.FailureReason);
    }

    [Theory]
    [InlineData(TlsVersion.Tls12)]
    [InlineData(TlsVersion.Tls13)]
    public void A_session_outlives_a_connection_that_was_cut(TlsVersion version)
    {
        TlsContext client = Context(ClientSide(Client) with { VersionMax = version }), server = Context(Server(Trust()));
        Outcome met = Meet(client, server);
        met.NearTls.Close(abort: true);
        Assert.True(_network.RunUntil(() => met.Far.Closings == 1, 20_000_000));
        Peer again = Meet(client, server).FarTls.Peer!;
        Assert.Equal((true, true), (again.Resumed, again.PeerValidated));
        Assert.Equal([ClientUri], again.PeerUris);
    }
}
