using Lateen.Api.Names;
using Xunit;

namespace Lateen.Test.Unit.Api.Names;

public sealed class LabelSetTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(40)]
    public void Every_label_is_found_and_no_other(int count)
    {
        LabelSet labels = LabelSet.Of(Enumerable.Range(0, count).Reverse().Select(i => KeyValuePair.Create($"key-{i}", $"value-{i}")));
        Assert.Equal(count, labels.Count);
        for (int i = 0; i < count; i++) Assert.Equal($"value-{i}", labels[$"key-{i}"]);
        Assert.False(labels.TryGetValue("key-", out _));
        Assert.False(labels.ContainsKey("key-99"));
        Assert.Equal(labels.Keys.Order(StringComparer.Ordinal), labels.Keys);
    }

    [Fact]
    public void Of_a_key_that_occurs_twice_the_last_counts() =>
        Assert.Equal("b", LabelSet.Of([KeyValuePair.Create("app", "a"), KeyValuePair.Create("app", "b")])["app"]);
}
