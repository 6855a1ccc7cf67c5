using System.Text.Json.Nodes;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.ControlPlane.Cluster;
using Lateen.ControlPlane.Findings;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Cluster;

/// <summary>What is found about an object of the cluster stands in its status, and goes when it is no longer so.</summary>
public sealed class FindingStatusTests
{
    private const string Rule = """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: reviews, namespace: default}
        spec: {host: reviews, trafficPolicy: {outlierDetection: {consecutiveErrors: 3}}}
        """;

    [Fact]
    public void A_field_without_effect_is_told_in_the_status()
    {
        StatusWish wish = Assert.Single(Wishes(Rule));
        JsonNode said = Assert.Single(wish.Status["validationMessages"]!.AsArray())!;
        Assert.Equal(("LTN2202", "INFO"), (said["type"]!["code"]!.ToString(), said["level"]!.ToString()));
        Assert.StartsWith("spec.trafficPolicy.outlierDetection.consecutiveErrors: is kept, but has no effect", said["message"]!.ToString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public void An_object_of_which_nothing_is_to_be_said_is_left_alone() =>
    Assert.Empty(Wishes(Rule.Replace("consecutiveErrors", "consecutive5xxErrors", StringComparison.Ordinal)));

    [Fact]
    public void What_is_no_longer_so_is_taken_back()
    {
        StatusWish wish = Assert.Single(
            Wishes(Rule.Replace("consecutiveErrors", "consecutive5xxErrors", StringComparison.Ordinal)
                + "\nstatus: {validationMessages: [{level: INFO, type: {code: LTN2202}}]}"));
        Assert.Empty(wish.Status["validationMessages"]!.AsArray());
    }

    [Fact]
    public void What_was_written_elsewhere_has_no_status_to_write() => Assert.Empty(Wishes(Rule, ResourceOrigin.FromFile));

    private static StatusWish[] Wishes(string text, string source = ResourceOrigin.FromCluster)
    {
        var mistakes = new DiagnosticBag();
        Resource[] resources = [.. new ResourceDecoder(new DecoderOptions()).Decode(text, "", mistakes)
            .Select(read => read.With(new ResourceOrigin { Source = source }))];
        Assert.Empty(mistakes);
        ResourceView view = ResourceView.Of(resources);
        var findings = new ResourceFindings("cluster.local", "istio-system", new Refusals(() => []));
        return [.. StatusWish.Of(view, [], resource => findings.AtOnce(resource, view))];
    }
}
