using System.Text.Json.Nodes;
using Lateen.Injector.Trees;
using Xunit;

namespace Lateen.Test.Unit.Injector;

public sealed class StrategicMergeTests
{
    [Theory]
    // Items with a key are merged, others of the list stay where they stood.
    [InlineData("""{"spec":{"containers":[{"name":"a","image":"1"},{"name":"b"}]}}""",
        """{"spec":{"containers":[{"name":"b","image":"2"},{"name":"c"}]}}""",
        """{"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"},{"name":"c"}]}}""")]
    // Lists without a key are replaced.
    [InlineData("""{"spec":{"containers":[{"name":"a","args":["x","y"]}]}}""", """{"spec":{"containers":[{"name":"a","args":["z"]}]}}""",
        """{"spec":{"containers":[{"name":"a","args":["z"]}]}}""")]
    [InlineData("""{"metadata":{"labels":{"a":"1","b":"2"}}}""", """{"metadata":{"labels":{"a":null,"c":"3"}}}""",
        """{"metadata":{"labels":{"b":"2","c":"3"}}}""")]
    [InlineData("""{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}""", """{"spec":{"containers":[{"name":"a","$patch":"delete"}]}}""",
        """{"spec":{"containers":[{"name":"b"}]}}""")]
    [InlineData("""{"spec":{"containers":[{"name":"a"}]}}""", """{"spec":{"containers":[{"$patch":"replace"},{"name":"b"}]}}""",
        """{"spec":{"containers":[{"name":"b"}]}}""")]
    // A volume is of one kind.
    [InlineData("""{"spec":{"volumes":[{"name":"v","emptyDir":{}}]}}""", """{"spec":{"volumes":[{"name":"v","csi":{"driver":"d"}}]}}""",
        """{"spec":{"volumes":[{"name":"v","csi":{"driver":"d"}}]}}""")]
    public void A_patch_is_laid_over(string target, string patch, string expected)
    {
        var merged = StrategicMerge.Apply(JsonNode.Parse(target)!.AsObject(), JsonNode.Parse(patch)!.AsObject(), MergeSchema.Of("Pod"));
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), merged), merged.ToJsonString());
    }

    [Theory]
    [InlineData("3000m", "3")]
    [InlineData("1024Mi", "1Gi")]
    [InlineData("1536Mi", "1536Mi")]
    [InlineData("0.1", "100m")]
    [InlineData("1500m", "1500m")]
    [InlineData("0", "0")]
    [InlineData("none", "none")]
    public void Amounts_are_written_in_one_way(string written, string expected) => Assert.Equal(expected, Quantities.Canonical(written));
}
