using System.Text.Json.Nodes;
using Lateen.Cli;
using Lateen.Cli.Up;
using Xunit;

namespace Lateen.Test.Unit.Cli.Up;

public sealed class WorkloadPlanTests
{
    private static JsonObject Deployment(string container) => (JsonObject)JsonNode.Parse($$"""
        {"kind":"Deployment","metadata":{"name":"reviews-v2"},"spec":{"replicas":2,"template":{"metadata":{"labels":{"app":"reviews","version":"v2"} },
         "spec":{"serviceAccountName":"bookinfo-reviews","containers":[{{container}}]} } } }
        """)!;

    [Fact]
    public void Each_replica_is_a_workload_of_its_own_with_a_name_that_stays()
    {
        WorkloadPlan[] first = [.. WorkloadPlan.OfDeployment(
            Deployment("""{"command":["bookinfo"],"args":["reviews"],"ports":[{"containerPort":9080}]}"""), "/x", "f:1")];
        WorkloadPlan[] again = [.. WorkloadPlan.OfDeployment(
            Deployment("""{"command":["bookinfo"],"args":["reviews"],"ports":[{"containerPort":9080}]}"""), "/x", "f:1")];
        Assert.Equal(2, first.Select(plan => plan.Name).Distinct().Count());
        Assert.Equal(first.Select(plan => plan.Name), again.Select(plan => plan.Name));
        Assert.All(first, plan => Assert.StartsWith("reviews-v2-", plan.Name, StringComparison.Ordinal));
        Assert.Equal(["bookinfo", "reviews"], first[0].Command);
        Assert.Equal([9080], first[0].Ports);
        Assert.Equal("bookinfo-reviews", first[0].ServiceAccount);
    }

    [Fact]
    public void A_deployment_without_a_command_is_refused_with_its_place()
    {
        CommandException refused = Assert.Throws<CommandException>(
            () => WorkloadPlan.OfDeployment(Deployment("""{"image":"nginx"}"""), "/x", "web.yaml:7").ToArray());
        Assert.StartsWith("web.yaml:7: the Deployment reviews-v2 ", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--port=$(PORT)", "--port=9080")]
    [InlineData("$$(PORT)", "$(PORT)")]
    [InlineData("$(UNKNOWN)", "$(UNKNOWN)")]
    [InlineData("$PORT", "$PORT")]
    public void References_are_replaced_as_kubernetes_does(string text, string expanded) =>
        Assert.Equal(expanded, WorkloadPlan.Expand(text, new Dictionary<string, string> { ["PORT"] = "9080" }));
}
