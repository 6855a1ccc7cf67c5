using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Xds;

/// <summary>Kinds of resources over a real discovery stream: listeners that can't be bound (LDS), virtual hosts (VHDS), filters' settings
/// (ECDS), runtime values (RTDS), and how long they live.</summary>
public sealed class DiscoveryTests
{
    private const string Types = "type.googleapis.com/", Forward = """{"match":{"prefix":"/"},"route":{"cluster":"up"}}""";

    [Fact]
    public void A_listener_whose_address_another_has_is_refused_with_a_reason_while_its_neighbours_serve()
    {
        using var rig = new DiscoveryRig();
        ListeningSocket taken = rig.Host.AddLoop("other")
            .Listen(new ListenOptions(Address.V4(0x0a000002, 9000), ReusePort: false), new Nobody());
        rig.Discovery.Put("taken", DiscoveryRig.Listener("taken", 9000, DiscoveryRig.Filters() + "," + DiscoveryRig.Routes(Forward)));
        rig.Discovery.Put("free", DiscoveryRig.Listener("free", 8080, DiscoveryRig.Filters() + "," + DiscoveryRig.Routes(Forward)));
        rig.Settle();
        string refusal = Assert.Single(rig.Discovery.Refusals);
        Assert.StartsWith("Listener: ", refusal, StringComparison.Ordinal);
        Assert.Contains("taken", refusal, StringComparison.Ordinal);
        Assert.Contains("10.0.0.2:9000", refusal, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200", rig.Ask("/"), StringComparison.Ordinal);
        // The address is free again, and the server says the same once more.
        taken.Close();
        rig.Discovery.Put("taken", DiscoveryRig.Listener("taken", 9000, DiscoveryRig.Filters() + "," + DiscoveryRig.Routes(Forward)));
        rig.Settle();
        Assert.Single(rig.Discovery.Refusals);
        Assert.StartsWith("HTTP/1.1 200", rig.Ask("/", 9000), StringComparison.Ordinal);
    }

    [Fact]
    public void It_is_told_whether_the_management_server_is_there()
    {
        using var rig = new DiscoveryRig();
        Assert.Equal(1, rig.Told("control_plane.connected_state"));
        rig.Discovery.Leave();
        rig.Settle();
        Assert.Equal(0, rig.Told("control_plane.connected_state"));
    }

    [Theory]
    [InlineData("direct_response", true)]
    [InlineData("no such action", false)]
    public void Listeners_of_the_first_configuration_begin_together_when_each_has_its_routes_or_never_will(string action, bool isTaken)
    {
        using var rig = new DiscoveryRig(first: discovery =>
        {
            discovery.Put("any", DiscoveryRig.Listener("any", 8080, DiscoveryRig.Filters() + "," + DiscoveryRig.Routes(Forward)));
            discovery.Put("late",
                DiscoveryRig.Listener("late", 9000,
                    DiscoveryRig.Filters()
                        + ",\"rds\":{\"route_config_name\":\"r\",\"config_source\":{\"ads\":{},\"resource_api_version\":\"V3\",\"initial_fetch_timeout\":\"0s\"}}"));
        });
        Assert.Contains("RouteConfiguration r", rig.Discovery.Asked);
        Assert.Empty(rig.Ask("/"));
        string routes = action == "direct_response" ? "{\"match\":{\"prefix\":\"/\"},\"direct_response\":{\"status\":204}}"
            : "{\"match\":{\"safe_regex\":{\"regex\":\"(\"}},\"direct_response\":{\"status\":204}}";
        rig.Discovery.Put("r",
            "{\"@type\":\"" + Types + "envoy.config.route.v3.RouteConfiguration\",\"name\":\"r\",\"virtual_hosts\":"
                + "[{\"name\":\"all\",\"domains\":[\"*\"],\"routes\":[" + routes + "]}]}");
        rig.Settle();
        Assert.Equal(isTaken, rig.Discovery.Refusals.Count == 0);
        Assert.StartsWith("HTTP/1.1 200", rig.Ask("/"), StringComparison.Ordinal);
        Assert.StartsWith(isTaken ? "HTTP/1.1 204" : "HTTP/1.1 404", rig.Ask("/", 9000), StringComparison.Ordinal);
    }

    [Fact]
    public void A_connection_that_said_nothing_while_its_listener_changed_is_served_by_the_new_one()
    {
        using var rig = new DiscoveryRig();
        Put(200);
        RawClient silent = rig.Connect();
        rig.Settle();
        Put(403);
        silent.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        rig.Settle();
        Assert.StartsWith("HTTP/1.1 403", silent.Text, StringComparison.Ordinal);
        // And the next change finds it where it is now.
        Put(404);
        silent.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        rig.Network.Advance(700_000_000);
        Assert.True(silent.Closed);

        void Put(int status)
        {
            rig.Discovery.Put("in", DiscoveryRig.Listener("in", 8080, DiscoveryRig.Filters() + ","
                + DiscoveryRig.Routes("{\"match\":{\"prefix\":\"/\"},\"direct_response\":{\"status\":" + status + "}}"),
                "\"listener_filters\":[{\"name\":\"http\",\"typed_config\":{\"@type\":\"" + Types
                    + "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector\"}}],\"listener_filters_timeout\":\"0s\","));
            rig.Settle();
        }
    }

    [Fact]
    public void Virtual_hosts_come_and_go_apart_from_their_routes()
    {
        using var rig = new DiscoveryRig();
        rig.Discovery.Put("in",
            DiscoveryRig.Listener("in", 8080,
                DiscoveryRig.Filters()
                    + ",\"rds\":{\"route_config_name\":\"r\",\"config_source\":{\"ads\":{},\"resource_api_version\":\"V3\"}}"));
        rig.Discovery.Put("r", "{\"@type\":\"" + Types
            + "envoy.config.route.v3.RouteConfiguration\",\"name\":\"r\",\"vhds\":{\"config_source\":{\"ads\":{},\"resource_api_version\":\"V3\"}}}");
        rig.Settle();
        Host("/one", "one");
        Assert.EndsWith("one", rig.Ask("/one"), StringComparison.Ordinal);
        Host("/two", "two");
        Assert.StartsWith("HTTP/1.1 404", rig.Ask("/one"), StringComparison.Ordinal);
        Assert.EndsWith("two", rig.Ask("/two"), StringComparison.Ordinal);
        rig.Discovery.Remove(Types + "envoy.config.route.v3.VirtualHost", "r/a");
        rig.Settle();
        Assert.StartsWith("HTTP/1.1 404", rig.Ask("/two"), StringComparison.Ordinal);
        Assert.Empty(rig.Discovery.Refusals);

        void Host(string path, string body)
        {
            rig.Discovery.Put("r/a", "{\"@type\":\"" + Types
                + "envoy.config.route.v3.VirtualHost\",\"name\":\"a\",\"domains\":[\"a\"],\"routes\":[{\"match\":{\"prefix\":\"" + path
                + "\"},\"direct_response\":{\"status\":200,\"body\":{\"inline_string\":\"" + body + "\"}}}]}");
            rig.Settle();
        }
    }

    [Fact]
    public void Settings_of_filters_are_waited_for_and_change_without_a_new_listener()
    {
        using var rig = new DiscoveryRig();
        string discovered =
            """{"name":"mark","config_discovery":{"config_source":{"ads":{},"resource_api_version":"V3","initial_fetch_timeout":"0s"},"type_urls":["type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"]}},""";
        rig.Discovery.Put("in", DiscoveryRig.Listener("in", 8080, DiscoveryRig.Filters(discovered) + "," + DiscoveryRig.Routes(Forward)));
        rig.Settle();
        Assert.Contains("TypedExtensionConfig mark", rig.Discovery.Asked);
        Assert.Empty(rig.Ask("/"));
        Mark("one");
        rig.Ask("/");
        Assert.Contains("x-mark: one", rig.Upstream.Requests[^1], StringComparison.Ordinal);
        Mark("two");
        rig.Ask("/");
        Assert.Contains("x-mark: two", rig.Upstream.Requests[^1], StringComparison.Ordinal);
        Assert.Empty(rig.Discovery.Refusals);

        void Mark(string value)
        {
            rig.Discovery.Put("mark",
                "{\"@type\":\"" + Types + "envoy.config.core.v3.TypedExtensionConfig\",\"name\":\"mark\",\"typed_config\":{\"@type\":\""
                    + Types
                    + "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation\",\"mutations\":{\"request_mutations\":[{\"append\":{\"header\":{\"key\":\"x-mark\",\"value\":\"" + value + "\"}}}]}}}");
            rig.Settle();
        }
    }

    [Fact]
    public void A_share_of_a_route_follows_its_runtime_value()
    {
        using var rig = new DiscoveryRig("""
            "layered_runtime":{"layers":[{"name":"live","rtds_layer":{"name":"live","rtds_config":{"ads":{},"resource_api_version":"V3"}}}]},
            """);
        string half =
            """{"match":{"prefix":"/","runtime_fraction":{"default_value":{"numerator":0},"runtime_key":"routing.new"}},"direct_response":{"status":200,"body":{"inline_string":"new"}}},""";
        Value(0);
        rig.Discovery.Put("in", DiscoveryRig.Listener("in", 8080, DiscoveryRig.Filters() + "," + DiscoveryRig.Routes(half + Forward)));
        rig.Settle();
        Assert.EndsWith("hi", rig.Ask("/"), StringComparison.Ordinal);
        Value(100);
        Assert.EndsWith("new", rig.Ask("/"), StringComparison.Ordinal);
        Value(0);
        Assert.EndsWith("hi", rig.Ask("/"), StringComparison.Ordinal);

        void Value(int percent)
        {
            rig.Discovery.Put("live",
                "{\"@type\":\"" + Types + "envoy.service.runtime.v3.Runtime\",\"name\":\"live\",\"layer\":{\"routing.new\":" + percent
                    + "}}");
            rig.Settle();
        }
    }

    [Fact]
    public void What_lives_for_a_time_is_gone_when_nobody_renewed_it()
    {
        using var rig = new DiscoveryRig();
        string listener = DiscoveryRig.Listener("in", 8080, DiscoveryRig.Filters() + "," + DiscoveryRig.Routes(Forward));
        rig.Discovery.Put("in", listener, Duration.FromTimeSpan(TimeSpan.FromSeconds(10)));
        rig.Network.Advance(8_000_000);
        rig.Discovery.Put("in", listener, Duration.FromTimeSpan(TimeSpan.FromSeconds(10)));
        rig.Network.Advance(8_000_000);
        Assert.StartsWith("HTTP/1.1 200", rig.Ask("/"), StringComparison.Ordinal);
        rig.Network.Advance(8_000_000);
        Assert.Empty(rig.Ask("/"));
    }

    private sealed class Nobody : Acceptor
    {
        public override void OnAccepted(Transport transport) => transport.Close();
    }
}
