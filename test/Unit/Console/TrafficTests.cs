using Lateen.Console.Traffic;
using Xunit;

namespace Lateen.Test.Unit.Console;

public sealed class TrafficTests
{
    [Fact]
    public void A_family_is_read_with_escapes_and_without_its_neighbours()
    {
        const string Text =
            "# TYPE istio_requests_total counter\nistio_requests_total{a=\"x\\\"y\\\\z\",b=\"\"} 3\nistio_requests_total_more{a=\"1\"} "
            + "9\nistio_requests_total 4.5\nbroken{a=\n";
        MetricLine[] lines = [.. MetricLines.Of(Text, "istio_requests_total")];
        Assert.Equal([3, 4.5], lines.Select(line => line.Value));
        Assert.Equal(("x\"y\\z", "", ""), (lines[0]["a"], lines[0]["b"], lines[0]["c"]));
    }

    [Fact]
    public void Callers_stand_left_of_what_they_call()
    {
        Dictionary<string, int> column = Columns(("productpage", "details"), ("productpage", "reviews"), ("reviews", "ratings"),
            ("gateway", "productpage"), ("productpage", "ratings"));
        Assert.Equal([0, 1, 2, 2, 3], new[] { "gateway", "productpage", "details", "reviews", "ratings" }.Select(name => column[name]));
    }

    [Fact]
    public void Calls_in_a_circle_end()
    {
        Dictionary<string, int> column = Columns(("a", "b"), ("b", "c"), ("c", "a"), ("c", "c"));
        Assert.All(column.Values, value => Assert.InRange(value, 0, 2));
    }

    private static Dictionary<string, int> Columns(params (string From, string To)[] calls) =>
        GraphLayout.Of([.. calls.Select(call => new TrafficEdge(call.From, call.To, 1, null, 0, false))])
            .ToDictionary(node => node.Name, node => node.Column);
}
