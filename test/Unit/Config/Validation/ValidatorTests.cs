using FsCheck;
using FsCheck.Fluent;
using Google.Protobuf;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Validation;
using Lateen.Config.Validation.Policies;
using Lateen.Test.Unit.Api.Documents;
using Xunit;

namespace Lateen.Test.Unit.Config.Validation;

public sealed class ValidatorTests
{
    private static IReadOnlyList<Diagnostic> Check(string yaml)
    {
        var bag = new DiagnosticBag();
        var resource = Assert.Single(new ResourceDecoder().Decode(yaml, "shop.yaml", bag));
        Assert.False(bag.HasErrors, string.Join('\n', bag));
        return Validator.Check(resource);
    }

    [Fact]
    public void Findings_name_the_line_and_the_object()
    {
        var found = Check("""
            # the shop
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: reviews, namespace: shop}
            spec:
              hosts: [reviews, "rev!ews"]
              http:
              - retries:
                  attempts: 2
                  retryOn: gatway-error
                route:
                - destination: {host: reviews}
                  weight: -1
            """);
        Assert.Equal(
            ["shop.yaml:7:20 spec.hosts[1]", "shop.yaml:11:7 spec.http[0].retries.retryOn", "shop.yaml:14:7 spec.http[0].route[0].weight"],
            found.Select(d => $"{d.Position} {d.Path}"));
        Assert.All(found, d => Assert.Equal("VirtualService shop/reviews", d.Resource));
        Assert.Contains("did you mean \"gateway-error\"?", found[1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void No_message_makes_a_check_throw()
    {
        Prop.ForAll<int>(seed =>
        {
            var kind = Kinds.All[(seed & 0x7FFFFFFF) % Kinds.All.Count];
            var message = new RandomMessages(seed).Make(kind.Message);
            var resource = kind.NewResource(new ResourceMetadata { Name = "x", Namespace = "ns" }, message, null, ResourceOrigin.None);
            return Validator.CheckConventions(resource).All(d => d.Text.Length > 0 && d.Path.Length > 0);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Every_code_stands_once()
    {
        var codes = new[] { typeof(ValidationCodes), typeof(ResourceCodes), typeof(Lateen.Config.Store.StoreCodes),
            typeof(Lateen.Api.Documents.DocumentCodes) }
            .SelectMany(t => t.GetFields()).Select(f => f.GetValue(null)).OfType<DiagnosticCode>().ToArray();
        Assert.Equal(codes.Length, codes.Select(c => c.Id).Distinct().Count());
        Assert.All(codes, c => Assert.Matches("^LTN[1-4][0-9]{3}$", c.Id));
        Assert.All(codes, c => Assert.NotEmpty(c.Remedy));
    }

    [Theory]
    [InlineData("^/api/v[0-9]+/.*$", true)]
    [InlineData("(?i)abc", true)]
    [InlineData("(?P<name>x)", true)]
    [InlineData("a{1,1000}", true)]
    [InlineData("a{1001}", false)]
    [InlineData("(?=look)", false)]
    [InlineData("(a)\\1", false)]
    [InlineData("*", false)]
    [InlineData("(open", false)]
    public void Regular_expressions_are_those_of_re2(string regex, bool valid) => Assert.Equal(valid, RegexSyntax.Problem(regex) is null);

    [Theory]
    [InlineData("/a/{*}/b", true)]
    [InlineData("/a/{**}", true)]
    [InlineData("/a/{**}/end", true)]
    [InlineData("/a/{**}/{*}", false)]
    [InlineData("/a/{*}b", false)]
    [InlineData("/{name}", false)]
    [InlineData("/plain*", true)]
    public void Path_templates(string path, bool valid) => Assert.Equal(valid, PathTemplates.Problem(path) is null);

    [Theory]
    [InlineData("response.code >= 400 && !(request.method == 'GET')", true)]
    [InlineData("request.headers['x'].startsWith(\"a\\\"b\")", true)]
    [InlineData("'a' in request.headers", true)]
    [InlineData("response.code >", false)]
    [InlineData("(a", false)]
    [InlineData("a b", false)]
    [InlineData("a & b", false)]
    [InlineData("'open", false)]
    public void Filter_expressions(string text, bool valid) => Assert.Equal(valid, CelSyntax.Problem(text) is null);

    [Theory]
    [InlineData("%REQ(x-id):10%", true)]
    [InlineData("100%% sure", true)]
    [InlineData("%start%", false)]
    [InlineData("50% off", false)]
    [InlineData("%REQ(open", false)]
    public void Header_values(string value, bool valid) => Assert.Equal(valid, Rules.HeaderValue(value) is null);
}
