using Lateen.Api.Diagnostics;
using Xunit;

namespace Lateen.Test.Unit.Api.Diagnostics;

public sealed class SuggestionsTests
{
    private static readonly string[] Fields = ["hosts", "gateways", "http", "tls", "tcp", "exportTo"];

    [Theory]
    [InlineData("host", "hosts")]
    [InlineData("HOSTS", "hosts")]
    [InlineData("gatewyas", "gateways")]
    [InlineData("exportto", "exportTo")]
    [InlineData("exp", "exportTo")]
    [InlineData("banana", null)]
    [InlineData("", null)]
    public void The_nearest_word(string word, string? expected) => Assert.Equal(expected, Suggestions.Nearest(word, Fields));

    [Fact]
    public void A_bag_keeps_counting_when_it_is_full()
    {
        var bag = new DiagnosticBag();
        var code = new DiagnosticCode("LTN0000", DiagnosticLevel.Error, "t", "r");
        for (var i = 0; i < DiagnosticBag.CountMax + 5; i++) bag.Add(code, SourcePosition.None, "", "x");
        Assert.Equal((DiagnosticBag.CountMax, 5, DiagnosticBag.CountMax + 5), (bag.Count, bag.DroppedCount, bag.ErrorCount));
    }
}
