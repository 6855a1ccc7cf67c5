using System.Text.Json.Nodes;
using Lateen.ControlPlane.Admission;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Admission;

public sealed class AdmissionReviewsTests
{
    private static JsonNode Review(string spec, string operation = "CREATE", string kind = "VirtualService")
    {
        string body = $$$"""
            {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {"uid": "u1", "operation": "{{{operation}}}",
             "kind": {"group": "networking.istio.io", "version": "v1", "kind": "{{{kind}}}"},
             "object": {"apiVersion": "networking.istio.io/v1", "kind": "{{{kind}}}", "metadata": {"name": "x", "namespace": "shop"}, "spec": {{{spec}}} } } }
            """;
        return JsonNode.Parse(AdmissionReviews.Answer(body).Body)!["response"]!;
    }

    private const string Good = """{"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}}]}]}""";

    [Fact]
    public void A_good_object_is_allowed_under_the_uid_of_the_review()
    {
        JsonNode response = Review(Good);
        Assert.Equal(("u1", true, (JsonNode?)null), ((string?)response["uid"], (bool)response["allowed"]!, response["warnings"]));
    }

    [Fact]
    public void A_mistake_is_told_in_istiods_frame()
    {
        JsonNode response = Review("""{"hosts": ["a"]}""");
        Assert.False((bool)response["allowed"]!);
        Assert.StartsWith("configuration is invalid: ", (string?)response["status"]!["message"], StringComparison.Ordinal);
        Assert.StartsWith("error decoding configuration: ", (string?)Review("""{"hosts": 5}""")["status"]!["message"],
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_field_that_nobody_knows_is_a_warning_since_definitions_may_be_newer()
    {
        JsonNode response = Review(Good[..^1] + """, "inventedLater": 1}""");
        Assert.True((bool)response["allowed"]!);
        Assert.Contains("inventedLater", (string?)response["warnings"]![0], StringComparison.Ordinal);
    }

    [Fact]
    public void Deleting_is_never_wrong() => Assert.True((bool)Review("""{"hosts": 5}""", "DELETE")["allowed"]!);

    [Fact]
    public void Kinds_that_are_not_the_meshs_are_refused_by_name() =>
        Assert.Equal("unrecognized type networking.istio.io/v1, Kind=Nothing",
            (string?)Review("{}", kind: "Nothing")["status"]!["message"]);

    [Theory]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("{\"kind\": \"AdmissionReview\"}")]
    [InlineData("not json")]
    [InlineData("{\"kind\": 5, \"request\": {\"operation\": \"CREATE\", \"kind\": 7, \"object\": []}}")]
    [InlineData("{\"kind\": \"AdmissionReview\", \"request\": {\"operation\": \"CREATE\", \"kind\": {\"group\": "
        + "\"networking.istio.io\", \"kind\": \"Gateway\"}, \"object\": {\"metadata\": 5}}}")]
    public void Garbage_is_answered_with_no(string body) =>
    Assert.False((bool)JsonNode.Parse(AdmissionReviews.Answer(body).Body)!["response"]!["allowed"]!);
}
