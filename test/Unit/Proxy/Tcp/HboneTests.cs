using System.Text;
using System.Text.Json;
using Lateen.Proxy.Server;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Tls;
using Lateen.Test.Unit.Proxy.Http;
using Lateen.Test.Unit.Proxy.Net;
using Lateen.Test.Unit.Proxy.Tls;
using Lateen.Test.Unit.Proxy.Xds;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tcp;

/// <summary>
/// HBONE from end to end, in the shape that Istio gives it: a client's bytes enter proxy 2, which tunnels them by CONNECT over HTTP/2 and
/// mutual TLS to port 15008 of proxy 3; there the CONNECT ends, and an internal listener passes the bytes to the application.
/// </summary>
public sealed class HboneTests : IDisposable
{
    private static readonly Authority Root = new("root");
    private static readonly TlsCertificate ClientSide = Root.Issue("O=", ["URI:spiffe://cluster.local/ns/a/sa/client"]);
    private static readonly TlsCertificate ServerSide = Root.Issue("O=", ["URI:spiffe://cluster.local/ns/b/sa/server"]);

    private readonly RawProxy _rig = new(seed: 21);
    private readonly ProbeAcceptor _app;

    public HboneTests() => _app = _rig.Serve(4, 9000);

    public void Dispose() => _rig.Dispose();

    private static string Pem(ReadOnlyMemory<byte> pem) => JsonSerializer.Serialize(Encoding.ASCII.GetString(pem.Span));

    private static string Common(TlsCertificate certificate, string peer) => """
        "common_tls_context":{"alpn_protocols":["h2"],"tls_certificates":[{"certificate_chain":{"inline_string":@CHAIN@},"private_key":{"inline_string":@KEY@}}],
          "validation_context":{"trusted_ca":{"inline_string":@CA@},"match_typed_subject_alt_names":[{"san_type":"URI","matcher":{"exact":"@PEER@"}}]}}
        """.Replace("@CHAIN@", Pem(certificate.Chain), StringComparison.Ordinal).Replace("@KEY@", Pem(certificate.Key), StringComparison.Ordinal)
        .Replace("@CA@", Pem(Root.Pem), StringComparison.Ordinal).Replace("@PEER@", peer, StringComparison.Ordinal);

    private void StartServer(string who = "spiffe://cluster.local/ns/a/sa/client") => _rig.Start(3,
        RawProxy.Listener("connect_terminate", RawProxy.Socket(3, 15008),
            RawProxy.Manager("""
                {"match":{"connect_matcher":{}},"route":{"cluster":"main_internal","timeout":"0s","upgrade_configs":[{"upgrade_type":"CONNECT","connect_config":{}}]}}
                """, "\"http2_protocol_options\":{\"allow_connect\":true},\"upgrade_configs\":[{\"upgrade_type\":\"CONNECT\"}],"),
            "\"transport_socket\":{\"name\":\"tls\",\"typed_config\":{\"@type\":\"@TYPE@transport_sockets.tls.v3.DownstreamTlsContext\","
                + "\"require_client_certificate\":true," + Common(ServerSide, who) + "}},")
        + "," + RawProxy.Listener("main_internal", "\"internal_listener\":{}", RawProxy.Relay("app")),
        RawProxy.Cluster("main_internal", RawProxy.Internal("main_internal")) + ","
            + RawProxy.Cluster("app", RawProxy.Socket(4, 9000)));

    private void StartClient(TlsCertificate? certificate = null) => _rig.Start(2,
        RawProxy.Listener("out", RawProxy.Socket(2, 8080), RawProxy.Relay("encap")) + ","
            + RawProxy.Listener("connect_originate", "\"internal_listener\":{}",
                RawProxy.Relay("hbone", "\"tunneling_config\":{\"hostname\":\"10.0.0.4:9000\"},")),
        RawProxy.Cluster("encap", RawProxy.Internal("connect_originate")) + ","
            + RawProxy.Cluster("hbone", RawProxy.Socket(3, 15008), http2: true,
                more: "\"transport_socket\":{\"name\":\"tls\",\"typed_config\":{\"@type\":\"@TYPE@transport_sockets.tls.v3.UpstreamTlsContext\","
                    + Common(certificate ?? ClientSide, "spiffe://cluster.local/ns/b/sa/server") + "}},"));

    private Probe Call(string bytes = "hello")
    {
        Probe client = _rig.Connect(2, 8080);
        RawProxy.Say(client, bytes);
        return client;
    }

    [Fact]
    public void Bytes_go_both_ways_and_each_direction_ends_for_itself()
    {
        StartServer();
        StartClient();
        Probe client = Call();
        Assert.True(_rig.Run(() => _app.Accepted is [{ Text: "hello" }]));
        Probe app = _app.Accepted[0];
        RawProxy.Say(app, "welcome");
        Assert.True(_rig.Run(() => client.Text == "welcome"));
        client.Transport!.EndSend();
        Assert.True(_rig.Run(() => app.Ended));
        RawProxy.Say(app, ", and bye");
        app.Transport!.EndSend();
        Assert.True(_rig.Run(() => client.Ended && client.Text == "welcome, and bye"));
    }

    [Fact]
    public void Megabytes_pass_whole_through_both_proxies_and_their_windows()
    {
        StartServer();
        StartClient();
        Probe client = Call();
        Assert.True(_rig.Run(() => _app.Accepted is [{ Text: "hello" }]));
        byte[] body = new byte[3 << 20];
        new Random(5).NextBytes(body);
        _app.Accepted[0].Transport!.Send(body);
        client.Transport!.Send(body);
        Assert.True(_rig.Run(() => client.Received.Length == body.Length && _app.Accepted[0].Received.Length == body.Length + 5, 60_000_000));
        Assert.Equal(body, client.Received.ToArray());
        Assert.Equal(body, _app.Accepted[0].Received.ToArray()[5..]);
    }

    [Fact]
    public void Many_tunnels_share_one_connection_and_one_that_breaks_harms_no_other()
    {
        StartServer();
        StartClient();
        ProxyServer proxy = _rig.Last;
        Probe[] clients = [.. Enumerable.Range(0, 20).Select(i => Call("hello" + i))];
        Assert.True(_rig.Run(() => _app.Accepted.Count == 20 && _app.Accepted.TrueForAll(static a => a.Text.Length > 5)));
        Assert.Equal(1, Gauge(proxy, "cluster.hbone.upstream_cx_active"));
        clients[3].Transport!.Close(abort: true);
        Assert.True(_rig.Run(() => _app.Accepted.Count(static a => a.Closings > 0 || a.Ended) == 1));
        foreach (Probe app in _app.Accepted.Where(static a => a.Closings == 0 && !a.Ended)) RawProxy.Say(app, "on");
        Assert.True(_rig.Run(() => clients.Count(static c => c.Text == "on") == 19));
        Assert.Equal(1, Gauge(proxy, "cluster.hbone.upstream_cx_active"));
    }

    private static long Gauge(ProxyServer proxy, string name)
    {
        foreach (StatSeries series in proxy.Statistics.All())
        {
            if (series.Name == name)
                return series.Value;
        }
        return -1;
    }

    [Fact]
    public void An_application_that_hangs_up_ends_the_client()
    {
        StartServer();
        StartClient();
        Probe client = Call();
        Assert.True(_rig.Run(() => _app.Accepted is [{ Text: "hello" }]));
        _app.Accepted[0].Transport!.Close(abort: true);
        Assert.True(_rig.Run(() => client.Closings == 1 || client.Ended));
    }

    [Fact]
    public void An_identity_that_is_not_expected_gets_no_tunnel()
    {
        StartServer(who: "spiffe://cluster.local/ns/c/sa/other");
        StartClient();
        Probe client = Call();
        Assert.True(_rig.Run(() => client.Closings == 1 || client.Ended));
        Assert.Empty(_app.Accepted);
    }

    [Fact]
    public void A_certificate_of_another_root_gets_no_tunnel()
    {
        StartServer();
        StartClient(new Authority("other").Issue("O=", ["URI:spiffe://cluster.local/ns/a/sa/client"]));
        Probe client = Call();
        Assert.True(_rig.Run(() => client.Closings == 1 || client.Ended));
        Assert.Empty(_app.Accepted);
    }

    [Fact]
    public void Clear_text_on_the_port_of_tunnels_is_cut()
    {
        StartServer();
        Probe plain = _rig.Connect(3, 15008);
        plain.Transport!.Send(Http2Tests.Start());
        Assert.True(_rig.Run(() => plain.Closings == 1 || plain.Ended));
        Assert.Empty(_app.Accepted);
    }

    [Fact]
    public void A_server_that_is_away_ends_the_client()
    {
        StartClient();
        Probe client = Call();
        Assert.True(_rig.Run(() => client.Closings == 1 || client.Ended, 60_000_000));
    }
}
