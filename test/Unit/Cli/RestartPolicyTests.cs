using Lateen.Cli.Processes;
using Xunit;

namespace Lateen.Test.Unit.Cli;

public sealed class RestartPolicyTests
{
    [Fact]
    public void The_first_restart_is_at_once_and_the_next_ones_wait_twice_as_long_each()
    {
        var policy = new RestartPolicy();
        double[] waits = [.. Enumerable.Range(0, 12).Select(_ => policy.Next(TimeSpan.FromSeconds(1)).TotalMilliseconds)];
        Assert.Equal([0, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000], waits);
    }

    [Fact]
    public void A_program_that_stayed_up_starts_at_once_again()
    {
        var policy = new RestartPolicy();
        for (int i = 0; i < 5; i++) policy.Next(TimeSpan.Zero);
        Assert.Equal(TimeSpan.Zero, policy.Next(TimeSpan.FromSeconds(10)));
    }
}
