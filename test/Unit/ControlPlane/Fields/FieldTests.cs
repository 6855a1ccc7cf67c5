using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Fields;

public sealed class FieldTests
{
    // Some seconds of a slow machine.
    private const int Sample = 300;

    [Fact]
    public void One_odd_field_breaks_nothing_harms_nobody_and_is_said()
    {
        bool isLong = Environment.GetEnvironmentVariable("LATEEN_LONG") == "1";
        int seed = int.TryParse(Environment.GetEnvironmentVariable("LATEEN_SEED"), out int asked) ? asked : 1;
        var stand = new FieldStand();
        OddField[] all = [.. stand.Kinds.Distinct().SelectMany(OddFields.Of)];
        var chance = new Random(seed);
        chance.Shuffle(all);
        var wrong = new List<string>();
        foreach (OddField odd in all.Take(isLong ? all.Length : Sample))
        {
            if (stand.Play(odd) is not { } finding) continue;
            wrong.Add(finding);
            if (wrong.Count >= 20) break;
            // After one that broke something nothing may be as it was.
            stand = new FieldStand();
        }
        Assert.True(wrong.Count == 0, $"of {all.Length} (seed {seed}):\n{string.Join("\n\n", wrong)}");
    }
}
