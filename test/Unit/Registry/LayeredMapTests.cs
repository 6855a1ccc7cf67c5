using Lateen.Registry;
using Xunit;

namespace Lateen.Test.Unit.Registry;

public sealed class LayeredMapTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void What_changed_between_two_maps_is_what_differs_or_is_not_told(int seed)
    {
        var random = new Random(seed);
        var map = new LayeredMap<int, string>(Enumerable.Range(0, 400).ToDictionary(key => key, key => $"{key}"));
        var states = new List<LayeredMap<int, string>> { map };
        int told = 0;
        for (int step = 0; step < 300; step++)
        {
            map = map.With(Enumerable.Range(0, random.Next(4)).Select(_ => random.Next(450)).Distinct()
                .ToDictionary(key => key, key => (random.Next(4) > 0, (string?)$"{key} of {step}")));
            states.Add(map);
            LayeredMap<int, string> before = states[random.Next(Math.Max(0, states.Count - 20), states.Count)];
            if (map.ChangedSince(before) is not { } changed) continue;
            told++;
            Assert.Equal(changed.Count, changed.Distinct().Count());
            Assert.Subset(changed.ToHashSet(), Enumerable.Range(0, 450)
                .Where(key => map.GetValueOrDefault(key) != before.GetValueOrDefault(key)).ToHashSet());
            Assert.All(changed, key => Assert.True(map.ContainsKey(key) || before.ContainsKey(key)));
        }
        Assert.InRange(told, 100, 300);
        Assert.Empty(map.ChangedSince(map)!);
    }
}
