using System.Security.Cryptography;
using System.Text;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Epoll;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Tls;
using Lateen.Test.Unit.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tls;

public sealed class TlsTransportTests : TlsMeeting
{
    private const string Verify = "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: ";

    [Fact]
    public void Both_sides_learn_who_the_other_is()
    {
        TlsOptions serverOptions = Server(Trust(Uri(StringMatchKind.Prefix, "spiffe://cluster.local/"))) with { Alpn = ["h2", "http/1.1"] };
        TlsOptions clientOptions = ClientSide(Client) with { Alpn = ["istio-h2", "http/1.1", "h2"], Sni = "web.default" };
        Outcome met = Meet(Context(clientOptions), Context(serverOptions));
        Assert.Equal("word", met.Near.Text);
        Peer peer = met.FarTls.Peer!;
        Assert.Equal((true, true), (peer.PeerPresented, peer.PeerValidated));
        Assert.Equal([ClientUri], peer.PeerUris);
        Assert.Equal(("h2", "web.default", "TLSv1.3"), (peer.Alpn, peer.ServerName, peer.Version));
        Assert.Equal("h2", met.NearTls.Peer!.Alpn);
        var certificate = Authority.Load(Client);
        Assert.Equal(certificate.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant(), peer.PeerSha256);
        Assert.Equal(certificate.SerialNumber.TrimStart('0').ToLowerInvariant(), peer.PeerSerial.TrimStart('0'));
        Assert.Equal(("O=mesh", "O=mesh,CN=Root"), (peer.PeerSubject, peer.PeerIssuer));
        Assert.Equal(["spiffe://cluster.local/ns/default/sa/web"], peer.LocalUris);
        Assert.Equal(["spiffe://cluster.local/ns/default/sa/web"], met.NearTls.Peer!.PeerUris);
        Assert.Equal(Authority.To.ToUnixTimeSeconds(), peer.PeerValidTo);
        Assert.Equal(Encoding.ASCII.GetString(Client.Chain.Span), peer.PeerPem);
    }

    [Fact]
    public void A_client_of_another_root_is_refused()
    {
        TlsCertificate foreign = OtherRoot.Issue("O=mesh", ["URI:" + ClientUri]);
        Outcome met = Meet(Context(ClientSide(foreign)), Context(Server(Trust())));
        Assert.Equal(Verify + "X509_verify_cert: certificate verification error at depth 0: unable to get local issuer "
            + "certificate:TLS_error_end", met.FarTls.FailureReason);
        Assert.Equal(CloseReason.Tls, met.Far.Reason);
        // TLS 1.3: the client believes to be connected until the alert comes.
        Assert.Contains("TLSV1_ALERT_UNKNOWN_CA", met.NearTls.FailureReason);
    }

    [Theory]
    [InlineData(TlsVersion.Tls12)]
    [InlineData(TlsVersion.Tls13)]
    public void A_client_without_certificate_is_refused_where_one_is_required(TlsVersion version)
    {
        Outcome met = Meet(Context(ClientSide() with { VersionMax = version }), Context(Server(Trust())));
        Assert.Equal("TLS_error:|268435648:SSL routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE:peer did not provide "
            + "required client certificate:TLS_error_end",
            met.FarTls.FailureReason);
        Assert.Equal(1, met.Near.Closings);
        Outcome optional = Meet(Context(ClientSide() with { VersionMax = version }),
            Context(Server(Trust()) with { RequireClientCertificate = false }));
        Assert.Equal("word", optional.Near.Text);
        Assert.False(optional.FarTls.Peer!.PeerPresented);
    }

    [Fact]
    public void Names_of_the_client_are_judged()
    {
        TlsContext client = Context(ClientSide(Client));
        Assert.Equal("word", Meet(client, Context(Server(Trust(Uri(StringMatchKind.Exact, ClientUri))))).Near.Text);
        Outcome refused = Meet(client, Context(Server(Trust(Uri(StringMatchKind.Prefix, "spiffe://foreign.example/")))));
        Assert.Equal($"{Verify}SAN matcher, certificate SANs are [{ClientUri}]:TLS_error_end", refused.FarTls.FailureReason);
        Assert.Contains("SSLV3_ALERT_CERTIFICATE_UNKNOWN", refused.NearTls.FailureReason);
        Assert.Equal("word", Meet(client,
            Context(Server(Trust(new SanMatch(SanKind.Any, StringMatch.OfRegex("spiffe://[^/]+/ns/frontend/.*")))))).Near.Text);
        Assert.Equal(CloseReason.Tls,
            Meet(client, Context(Server(Trust(new SanMatch(SanKind.Dns, StringMatch.Of(StringMatchKind.Prefix, "spiffe")))))).Far.Reason);
    }

    [Fact]
    public void Every_kind_of_name_is_read()
    {
        TlsCertificate many = Root.Issue("CN=many",
            ["DNS:a.example", "DNS:*.b.example", "URI:spiffe://x/y", "email:ops@a.example", "IP:10.1.2.3", "IP:2001:db8::1"]);
        Peer peer = Meet(Context(ClientSide(many)), Context(Server(Trust()))).FarTls.Peer!;
        Assert.Equal(["a.example", "*.b.example"], peer.PeerDnsNames);
        Assert.Equal(["spiffe://x/y"], peer.PeerUris);
        Assert.Equal(["ops@a.example"], peer.PeerEmails);
        Assert.Equal(["10.1.2.3", "2001:db8::1"], peer.PeerIps);
        foreach ((SanKind kind, string name, bool good) in new[] { (SanKind.Dns, "q.b.example", true),
            (SanKind.Dns, "q.r.b.example", false), (SanKind.Email, "ops@a.example", true), (SanKind.Ip, "10.1.2.3", true),
            (SanKind.Ip, "10.1.2.4", false) })
        {
            Outcome met = Meet(Context(ClientSide(many)),
                Context(Server(Trust(new SanMatch(kind, StringMatch.Of(StringMatchKind.Exact, name))))));
            Assert.Equal(good, met.Near.Text == "word");
        }
    }

    [Fact]
    public void Expired_revoked_wrongly_used_and_pinned_certificates()
    {
        TlsCertificate expired = Root.Issue("CN=old", [], until: new DateTimeOffset(2025, 1, 1, 0, 0, 0, TimeSpan.Zero));
        Outcome old = Meet(Context(ClientSide(expired)), Context(Server(Trust())));
        Assert.Equal(Verify + "X509_verify_cert: certificate verification error at depth 0: certificate has expired:TLS_error_end",
            old.FarTls.FailureReason);
        Assert.Equal("word", Meet(Context(ClientSide(expired)), Context(Server(Trust() with { AllowExpired = true }))).Near.Text);

        Outcome revoked = Meet(Context(ClientSide(Client)), Context(Server(Trust() with { Crl = Root.Revoke(Client) })));
        Assert.Contains("certificate revocation check against provided CRLs failed: certificate revoked", revoked.FarTls.FailureReason);
        Outcome unlisted = Meet(Context(ClientSide(Client)), Context(Server(Trust() with { Crl = Root.Revoke(Web) })));
        Assert.Equal(("word", ""), (unlisted.Near.Text, unlisted.FarTls.FailureReason));

        Outcome misused = Meet(Context(ClientSide(Root.Issue("CN=s", [], usage: "server"))), Context(Server(Trust())));
        Assert.Contains("unsupported certificate purpose", misused.FarTls.FailureReason);

        string pin = Authority.Load(Client).GetCertHashString(HashAlgorithmName.SHA256);
        string key = Convert.ToBase64String(SHA256.HashData(Authority.Load(Client).PublicKey.ExportSubjectPublicKeyInfo()));
        Assert.Equal("word", Meet(Context(ClientSide(Client)), Context(Server(Trust() with { CertificatePins = [pin] }))).Near.Text);
        Assert.Equal("word", Meet(Context(ClientSide(Client)), Context(Server(Trust() with { KeyPins = [key] }))).Near.Text);
        Outcome other = Meet(Context(ClientSide(Web)), Context(Server(Trust() with { CertificatePins = [pin], KeyPins = [key] })));
        Assert.Equal(Verify + "cert hash and spki:TLS_error_end", other.FarTls.FailureReason);
    }

    [Fact]
    public void Untrusted_is_accepted_and_known_as_such_where_that_is_asked_for()
    {
        TlsCertificate foreign = OtherRoot.Issue("CN=foreign", ["URI:" + ClientUri]);
        Outcome met = Meet(Context(ClientSide(foreign)),
            Context(Server(Trust() with { AcceptUntrusted = true }) with { RequireClientCertificate = false }));
        Assert.Equal("word", met.Near.Text);
        Assert.Equal((true, false), (met.FarTls.Peer!.PeerPresented, met.FarTls.Peer.PeerValidated));
        Assert.Equal([ClientUri], met.FarTls.Peer.PeerUris);
    }

    [Fact]
    public void Intermediates_are_sent_on_and_may_be_anchors()
    {
        TlsCertificate below = Middle.Issue("O=mesh", ["URI:" + ClientUri], via: Middle);
        Outcome met = Meet(Context(ClientSide(below)), Context(Server(Trust())));
        Assert.Equal("word", met.Near.Text);
        Assert.Equal(2, met.FarTls.Peer!.PeerChainPem.Split("BEGIN CERTIFICATE").Length - 1);
        Assert.Equal("word", Meet(Context(ClientSide(below)), Context(Server(new TlsValidation { TrustedCa = Middle.Pem }))).Near.Text);
        Assert.Contains("unable to get local issuer",
            Meet(Context(ClientSide(Client)), Context(Server(new TlsValidation { TrustedCa = Middle.Pem }))).FarTls.FailureReason);
    }

    [Fact]
    public void Trust_domains_have_their_own_roots()
    {
        var domains = new TlsValidation { TrustDomains = new Dictionary<string, ReadOnlyMemory<byte>>
        {
            ["cluster.local"] = Root.Pem,
            ["other.example"] = OtherRoot.Pem,
        } };
        TlsContext server = Context(Server(domains));
        Assert.Equal("word", Meet(Context(ClientSide(Client)), server).Near.Text);
        Assert.Equal("word", Meet(Context(ClientSide(OtherRoot.Issue("O=x", ["URI:spiffe://other.example/sa/a"]))), server).Near.Text);
        Outcome forged = Meet(Context(ClientSide(OtherRoot.Issue("O=x", ["URI:" + ClientUri]))), server);
        Assert.Contains("CERTIFICATE_VERIFY_FAILED", forged.FarTls.FailureReason);
        Assert.Contains("no trust bundle",
            Meet(Context(ClientSide(Root.Issue("O=x", ["URI:spiffe://third.example/a"]))), server).FarTls.FailureReason);
        Assert.Contains("no trust bundle",
            Meet(Context(ClientSide(Root.Issue("O=x", ["URI:spiffe://cluster.local/a", "URI:spiffe://cluster.local/b"]))),
                server).FarTls.FailureReason);
    }

    [Theory]
    [InlineData("shop.example", "DNS:shop.example")]
    [InlineData("SHOP.example", "DNS:shop.example")]
    [InlineData("a.shop.example", "DNS:*.shop.example")]
    [InlineData("a.b.shop.example", "DNS:shop.example")]
    [InlineData("other.example", "DNS:shop.example")]
    [InlineData("", "DNS:shop.example")]
    public void The_server_name_chooses_the_certificate(string sni, string expected)
    {
        Outcome met = Meet(Context(ClientSide()), Context(Server(null, Shop, ShopRsa, Wild)), new TlsConnectOptions { Sni = sni });
        Assert.Equal("word", met.Near.Text);
        Assert.Equal([expected[4..]], met.NearTls.Peer!.PeerDnsNames);
    }

    [Fact]
    public void A_client_that_can_only_do_RSA_gets_the_RSA_certificate()
    {
        TlsOptions rsa = ClientSide() with { VersionMax = TlsVersion.Tls12, Ciphers = ["ECDHE-RSA-AES128-GCM-SHA256"] };
        Outcome met = Meet(Context(rsa), Context(Server(null, Shop, ShopRsa, Wild)), new TlsConnectOptions { Sni = "shop.example" });
        Assert.Equal("ECDHE-RSA-AES128-GCM-SHA256", met.FarTls.Peer!.Cipher);
        Assert.Equal("word", met.Near.Text);
    }

    [Fact]
    public void Versions_and_ciphers_have_limits()
    {
        Outcome low = Meet(Context(ClientSide() with { VersionMax = TlsVersion.Tls12 }),
            Context(Server() with { VersionMin = TlsVersion.Tls13 }));
        Assert.Contains("268435696:SSL routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL", low.FarTls.FailureReason);
        Assert.Contains("TLSV1_ALERT_PROTOCOL_VERSION", low.NearTls.FailureReason);
        Outcome none = Meet(
            Context(ClientSide() with { VersionMax = TlsVersion.Tls12, Ciphers = ["ECDHE-ECDSA-AES256-GCM-SHA384"] }),
            Context(Server() with { Ciphers = ["ECDHE-ECDSA-AES128-GCM-SHA256"] }));
        Assert.Contains("268435640:SSL routines:OPENSSL_internal:NO_SHARED_CIPHER", none.FarTls.FailureReason);
        Assert.Null(TlsContext.Create(Server() with { Ciphers = ["NONSENSE"] }, out string error));
        Assert.Contains("NONSENSE", error);
    }

    [Fact]
    public void A_resumed_session_keeps_the_clients_identity_until_its_certificate_ends()
    {
        TlsContext client = Context(ClientSide(Client) with { Sni = "web" });
        TlsContext server = Context(Server(Trust()));
        Assert.False(Meet(client, server).FarTls.Peer!.Resumed);
        Outcome again = Meet(client, server);
        Assert.True(again.FarTls.Peer!.Resumed);
        Assert.Equal((true, true), (again.FarTls.Peer.PeerPresented, again.FarTls.Peer.PeerValidated));
        Assert.Equal([ClientUri], again.FarTls.Peer.PeerUris);
        // Rotation: the ticket is worth nothing to another context.
        Assert.False(Meet(client, Context(Server(Trust()))).FarTls.Peer!.Resumed);

        TlsCertificate brief = Root.Issue("O=mesh", ["URI:" + ClientUri], until: new DateTimeOffset(2026, 1, 2, 0, 0, 0, TimeSpan.Zero));
        TlsContext shortLived = Context(ClientSide(brief));
        Assert.Equal("word", Meet(shortLived, server).Near.Text);
        _network.Advance(2L * 86_400_000_000);
        Outcome late = Meet(shortLived, server);
        Assert.Contains("certificate has expired", late.FarTls.FailureReason);
    }

    [Fact]
    public void A_client_asks_for_names_of_the_server()
    {
        TlsContext client = Context(ClientSide()), server = Context(Server(null, Shop));
        Assert.Equal("word", Meet(client, server, new TlsConnectOptions { Sans = ["shop.example"] }).Near.Text);
        Outcome refused = Meet(client, server, new TlsConnectOptions { Sans = ["else.example"] });
        Assert.Equal(Verify + "verify SAN list, expected SANs: [else.example], certificate SANs: [shop.example]:TLS_error_end",
            refused.NearTls.FailureReason);
        Assert.Equal(CloseReason.Tls, refused.Near.Reason);
        Assert.False(refused.Near.Connected);
        Outcome unknown = Meet(Context(ClientSide() with { Validation = new TlsValidation { TrustedCa = OtherRoot.Pem } }), server);
        Assert.Contains("unable to get local issuer certificate", unknown.NearTls.FailureReason);
    }

    [Fact]
    public void Silence_and_plain_text_end_the_handshake()
    {
        foreach ((string first, string expected, CloseReason reason) in new[]
        {
            ("", TlsFailures.HandshakeTimeout, CloseReason.Timeout),
            ("GET / HTTP/1.1\r\n\r\n", "TLS_error:|268435612:SSL routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end", CloseReason.Tls),
        })
        {
            TlsTransport tls = null!;
            var far = new Probe();
            ListeningSocket socket = _far.Listen(new ListenOptions(Address.V4(2, 0)), new Accepting(inner =>
            {
                tls = TlsTransport.Accept(inner, Context(Server()), new TlsConnectOptions { HandshakeMicros = 2_000_000 });
                tls.Handler = far;
            }));
            var near = new Probe { WhenConnected = t => t.Send(Encoding.ASCII.GetBytes(first)) };
            _near.Connect(new ConnectOptions(socket.Address), near);
            Assert.True(_network.RunUntil(() => far.Closings == 1 && near.Closings == 1, 3_000_000));
            Assert.Equal((expected, reason, false), (tls.FailureReason, far.Reason!.Value, far.Connected));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Random_bytes_end_a_handshake_and_nothing_else(int seed)
    {
        var random = new Random(seed);
        TlsContext server = Context(Server(Trust()));
        for (int i = 0; i < 100; i++)
        {
            var bytes = new byte[random.Next(1, 600)];
            random.NextBytes(bytes);
            // Often enough it looks like a handshake record.
            if (random.Next(2) == 0)
                new byte[] { 22, 3, 1, 0, (byte)random.Next(256), 1, 0, 0 }.AsSpan(0, Math.Min(8, bytes.Length)).CopyTo(bytes);
            var far = new Probe();
            ListeningSocket socket = _far.Listen(new ListenOptions(Address.V4(2, 0)),
                new Accepting(
                    inner => TlsTransport.Accept(inner, server, new TlsConnectOptions { HandshakeMicros = 1_000_000 }).Handler = far));
            var near = new Probe { WhenConnected = t => t.Send(bytes) };
            _near.Connect(new ConnectOptions(socket.Address), near);
            Assert.True(_network.RunUntil(() => far.Closings == 1, 5_000_000));
            Assert.False(far.Connected);
            socket.Close();
        }
    }

    [Fact]
    public void Much_data_both_ways_with_pauses_and_an_orderly_end()
    {
        _network.Faults = new MemoryFaults { DelayPerMille = 50, DelayMaxMicros = 1_000, SplitPerMille = 100 };
        Outcome met = Meet(Context(ClientSide()), Context(Server()));
        var bytes = new byte[3_000_000];
        new Random(1).NextBytes(bytes);
        met.Near.KeepOpenAtEnd = met.Far.KeepOpenAtEnd = true;
        met.Near.Received.Clear();
        met.FarTls.Reading = false;
        var random = new Random(2);
        for (int at = 0; at < bytes.Length;)
        {
            int n = Math.Min(random.Next(1, 50_000), bytes.Length - at);
            met.NearTls.Send(bytes.AsSpan(at, n));
            at += n;
        }
        met.NearTls.EndSend();
        long before = met.Far.Received.Length;
        _network.Advance(1_000_000);
        Assert.Equal(before, met.Far.Received.Length);
        Assert.False(met.Far.Ended);
        // Paused and resumed all the time: nothing may be shown while paused, nothing lost.
        met.Far.WhenData = (t, _) =>
        {
            Assert.True(t.Reading);
            t.Reading = random.Next(2) == 0;
        };
        bool ended = _network.RunUntil(
            () =>
            {
                met.FarTls.Reading = true;
                if (met.Far.Ended)
                    met.FarTls.EndSend();
                return met.Near.Closings == 1 && met.Far.Closings == 1;
            },
            600_000_000);
        Assert.Equal((bytes.Length, true), ((int)met.Near.Received.Length, ended));
        Assert.Equal(bytes, met.Near.Received.ToArray());
        Assert.Equal((CloseReason.Remote, CloseReason.Remote), (met.Near.Reason!.Value, met.Far.Reason!.Value));
    }

    [Fact]
    public void It_runs_over_sockets_and_allocates_nothing_once_warm()
    {
        using var loop = new EpollLoop();
        TlsContext server = Context(Server()), client = Context(ClientSide());
        var pong = new Bouncing();
        ListeningSocket socket = loop.Listen(new ListenOptions(Address.V4(0x7f000001, 0)),
            new Accepting(inner => TlsTransport.Accept(inner, server).Handler = pong));
        var ping = new Bouncing();
        TlsTransport.Connect(loop, new ConnectOptions(socket.Address), client, TlsConnectOptions.None, ping).Send(new byte[900]);
        for (int i = 0; i < 20_000 && pong.Count < 1_000; i++)
            loop.Turn(1_000_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        int served = pong.Count;
        for (int i = 0; i < 1_000; i++)
            loop.Turn(1_000_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(pong.Count - served > 300);
    }

    [Fact]
    public void What_cannot_be_used_is_refused_with_a_sentence()
    {
        Assert.Null(TlsContext.Create(Server(null, new TlsCertificate("nothing"u8.ToArray(), Web.Key)), out string error));
        Assert.Contains("certificate chain", error);
        Assert.Null(TlsContext.Create(Server(null, new TlsCertificate(Web.Chain, "nothing"u8.ToArray())), out error));
        Assert.Contains("private key", error);
        Assert.Null(TlsContext.Create(Server(null, new TlsCertificate(Web.Chain, Client.Key)), out error));
        Assert.Contains("KEY_VALUES_MISMATCH", error);
        Assert.Null(TlsContext.Create(Server(new TlsValidation { TrustedCa = "nothing"u8.ToArray() }), out error));
        Assert.Contains("trusted CA", error);
    }
}
