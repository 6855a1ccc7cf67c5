using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Xds;

/// <summary>Connections whose listener was taken away: some begin anew where their traffic goes now, the others end by what they had.</summary>
public sealed class LeftBehindTests
{
    private const string Types = "type.googleapis.com/", Request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    private const string ByRoutes =
        ",\"rds\":{\"route_config_name\":\"r\",\"config_source\":{\"ads\":{},\"resource_api_version\":\"V3\"}}";

    [Theory]
    [InlineData(true, "HTTP/1.1 200")]
    [InlineData(false, "HTTP/1.1 503")]
    public void Requests_of_connections_left_behind_have_their_routes_and_in_a_sidecar_their_clusters_until_they_have_drained(
        bool handsOver, string withoutCluster)
    {
        using var rig = new DiscoveryRig(handsOver: handsOver);
        PutCluster(rig);
        PutRoutes(rig, "c");
        rig.Discovery.Put("in", DiscoveryRig.Listener("in", 8080, DiscoveryRig.Filters() + ByRoutes));
        rig.Settle();
        RawClient[] left = [rig.Connect(), rig.Connect(), rig.Connect()];
        rig.Settle();
        rig.Discovery.Remove(Types + "envoy.config.listener.v3.Listener", "in");
        rig.Settle();
        Assert.StartsWith("HTTP/1.1 200", Answer(rig, left[0]), StringComparison.Ordinal);
        rig.Discovery.Remove(Types + "envoy.config.cluster.v3.Cluster", "c");
        rig.Settle();
        Assert.StartsWith(withoutCluster, Answer(rig, left[1]), StringComparison.Ordinal);
        rig.Network.Advance(2 * DiscoveryRig.DrainMicros);
        // Who comes later finds no cluster of that name.
        PutRoutes(rig, "c");
        rig.Discovery.Put("in", DiscoveryRig.Listener("in", 8080, DiscoveryRig.Filters() + ByRoutes));
        rig.Settle();
        Assert.StartsWith("HTTP/1.1 503", rig.Ask("/"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_cluster_that_comes_back_meanwhile_stays()
    {
        using var rig = new DiscoveryRig(handsOver: true);
        PutCluster(rig);
        PutRoutes(rig, "c");
        rig.Discovery.Put("in", DiscoveryRig.Listener("in", 8080, DiscoveryRig.Filters() + ByRoutes));
        rig.Settle();
        rig.Discovery.Remove(Types + "envoy.config.listener.v3.Listener", "in");
        rig.Settle();
        rig.Discovery.Remove(Types + "envoy.config.cluster.v3.Cluster", "c");
        rig.Settle();
        PutCluster(rig);
        rig.Discovery.Put("in", DiscoveryRig.Listener("in", 8080, DiscoveryRig.Filters() + ByRoutes));
        rig.Network.Advance(2 * DiscoveryRig.DrainMicros);
        Assert.StartsWith("HTTP/1.1 200", rig.Ask("/"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, "HTTP/1.1 200")]
    [InlineData(false, "HTTP/1.1 204")]
    public void What_was_caught_and_says_its_next_request_when_its_listener_is_gone_goes_where_new_connections_go(bool isGone, string answer)
    {
        using var rig = new DiscoveryRig(handsOver: true);
        rig.Discovery.Put("all", """
            {"@type":"type.googleapis.com/envoy.config.cluster.v3.Cluster","name":"all","type":"ORIGINAL_DST",
            "lb_policy":"CLUSTER_PROVIDED","connect_timeout":"1s"}
            """);
        rig.Discovery.Put("out", """
            {"@type":"type.googleapis.com/envoy.config.listener.v3.Listener","name":"out","use_original_dst":true,
            "address":{"socket_address":{"address":"127.0.0.1","port_value":15001}},"filter_chains":[{"filters":[{"name":"tcp","typed_config":{
            "@type":"type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy","stat_prefix":"all","cluster":"all"}}]}]}
            """);
        rig.Discovery.Put("10.0.0.3_80", DiscoveryRig.Listener("10.0.0.3_80", 80, DiscoveryRig.Filters() + ","
            + DiscoveryRig.Routes("""{"match":{"prefix":"/"},"direct_response":{"status":204}}"""), "\"bind_to_port\":false,")
            .Replace("10.0.0.2", "10.0.0.3", StringComparison.Ordinal));
        rig.Settle();
        RawClient silent = rig.ConnectCaught(), served = rig.ConnectCaught();
        Assert.StartsWith("HTTP/1.1 204", Answer(rig, served), StringComparison.Ordinal);
        served.Forget();
        if (isGone)
            rig.Discovery.Remove(Types + "envoy.config.listener.v3.Listener", "10.0.0.3_80");
        rig.Settle();
        Assert.StartsWith(answer, Answer(rig, silent), StringComparison.Ordinal);
        Assert.StartsWith(answer, Answer(rig, served), StringComparison.Ordinal);
        Assert.Equal(isGone ? 2 : 0, rig.Upstream.Requests.Count);
    }

    private static string Answer(DiscoveryRig rig, RawClient client)
    {
        client.Send(Request);
        rig.Settle();
        return client.Text;
    }

    private static void PutCluster(DiscoveryRig rig)
    {
        rig.Discovery.Put("c", """
            {"@type":"type.googleapis.com/envoy.config.cluster.v3.Cluster","name":"c","type":"STATIC","connect_timeout":"1s",
            "load_assignment":{"cluster_name":"c","endpoints":[{"lb_endpoints":[{"endpoint":{"address":{"socket_address":{"address":"10.0.0.3","port_value":80}}}}]}]}}
            """);
        rig.Settle();
    }

    private static void PutRoutes(DiscoveryRig rig, string cluster) => rig.Discovery.Put("r",
        "{\"@type\":\"" + Types + "envoy.config.route.v3.RouteConfiguration\",\"name\":\"r\",\"virtual_hosts\":"
            + "[{\"name\":\"all\",\"domains\":[\"*\"],\"routes\":[{\"match\":{\"prefix\":\"/\"},\"route\":{\"cluster\":\"" + cluster + "\"}}]}]}");
}
