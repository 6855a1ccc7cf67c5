using System.Text.Json.Nodes;
using Lateen.Agent;
using Lateen.Agent.Bootstrap;
using Lateen.Agent.Status;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Xunit;
using BootstrapConfig = Envoy.Config.Bootstrap.V3.Bootstrap;

namespace Lateen.Test.Unit.Agent;

public sealed class AgentOptionsTests
{
    private static readonly Dictionary<string, string> Environment = new()
    {
        ["POD_NAME"] = "reviews-v1-abc",
        ["POD_NAMESPACE"] = "books",
        ["INSTANCE_IP"] = "10.0.0.5",
        ["PROXY_CONFIG"] = """{"discoveryAddress":"istiod.mesh:15010","concurrency":3}""",
        ["ISTIO_META_CLUSTER_ID"] = "c1",
        ["ISTIO_METAJSON_LABELS"] = """{"app":"reviews","version":"v1"}""",
    };

    [Fact]
    public void The_environment_of_istios_agent_is_understood()
    {
        AgentOptions options = AgentOptions.From("sidecar", Environment);
        Assert.Equal("sidecar~10.0.0.5~reviews-v1-abc.books~books.svc.cluster.local", options.NodeId);
        Assert.Equal("istiod.mesh:15010", options.Discovery);
        Assert.Equal(3, options.Concurrency);
        Assert.Equal("c1", options.Metadata["CLUSTER_ID"]!.ToString());
        Assert.Equal("v1", options.Metadata["LABELS"]!["version"]!.ToString());
    }

    [Fact]
    public void The_bootstrap_leads_to_the_agents_socket_and_tells_who_the_node_is()
    {
        JsonNode bootstrap = JsonNode.Parse(BootstrapText.Compose(AgentOptions.From("sidecar", Environment)))!;
        Assert.Equal("sidecar~10.0.0.5~reviews-v1-abc.books~books.svc.cluster.local", bootstrap["node"]!["id"]!.ToString());
        Assert.Equal("reviews.books", bootstrap["node"]!["cluster"]!.ToString());
        JsonNode xds = ((JsonArray)bootstrap["static_resources"]!["clusters"]!).Single(c => c!["name"]!.ToString() == "xds-grpc")!;
        Assert.Equal("./etc/istio/proxy/XDS",
            xds["load_assignment"]!["endpoints"]![0]!["lb_endpoints"]![0]!["endpoint"]!["address"]!["pipe"]!["path"]!.ToString());
        Assert.Equal(15000, bootstrap["admin"]!["address"]!["socket_address"]!["port_value"]!.GetValue<int>());
    }

    [Fact]
    public void The_bootstrap_is_read_without_a_mistake()
    {
        AgentOptions options = AgentOptions.From("sidecar", Environment);
        var mistakes = new DiagnosticBag();
        var read = new MessageReader("text",
            mistakes).Read<BootstrapConfig>(DocumentReader.ReadSingle(BootstrapText.Compose(options), "text", mistakes));
        Assert.Empty(mistakes);
        Assert.Equal(15000u, read.Admin.Address.SocketAddress.PortValue);
    }

    [Theory]
    [InlineData("",
        "config not received from XDS server (is Istiod running?): cds updates: 0 successful, 0 rejected; lds updates: 0 successful, 0 "
        + "rejected")]
    [InlineData("cluster_manager.cds.update_success: 2",
        "config not fully received from XDS server: cds updates: 2 successful, 0 rejected; lds updates: 0 successful, 0 rejected")]
    [InlineData("listener_manager.lds.update_rejected: 1",
        "config received from XDS server, but was rejected: cds updates: 0 successful, 0 rejected; lds updates: 0 successful, 1 rejected")]
    [InlineData("cluster_manager.cds.update_success: 1\nlistener_manager.lds.update_success: 1\n", null)]
    public void Readiness_says_what_is_missing(string stats, string? obstacle) => Assert.Equal(obstacle, Readiness.WhyNotConfigured(stats));
}
