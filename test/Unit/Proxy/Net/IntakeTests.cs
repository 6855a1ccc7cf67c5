using Lateen.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Net;

/// <summary>How many connections a loop lets in, by how far it is behind.</summary>
public sealed class IntakeTests
{
    private const long Target = 200_000, Request = 500;
    private readonly Intake _intake = new();

    private int TakenAt(long age, int left, int begun)
    {
        for (int i = 0; i < left; i++)
            _intake.OnLeft();
        _intake.OnTurn(0, Target, age, begun, Request);
        return _intake.Take();
    }

    [Fact]
    public void A_loop_that_keeps_up_takes_a_batch()
    {
        Assert.Equal(64, TakenAt(0, 0, 0));
        Assert.Equal(64, TakenAt(Target / 5, 3, 3));
    }

    [Fact]
    public void Without_a_limit_the_age_is_nobodys_concern()
    {
        _intake.OnTurn(0, 0, 10_000_000, 100, Request);
        Assert.Equal(64, _intake.Take());
    }

    [Theory]
    [InlineData(Target / 2, 10, 20, 10 + 10)]
    [InlineData(Target, 10, 20, 10)]
    [InlineData(Target * 3 / 2, 10, 20, 5)]
    [InlineData(Target * 3, 10, 20, 1)]
    public void The_later_it_is_the_fewer_come_for_those_who_leave(long age, int left, int begun, int taken) =>
        Assert.Equal(taken, TakenAt(age, left, begun));

    [Fact]
    public void What_is_not_taken_in_a_turn_may_be_taken_in_the_next()
    {
        _intake.OnLeft();
        _intake.OnTurn(0, Target, Target, 5, Request);
        _intake.OnLeft();
        _intake.OnTurn(0, Target, Target, 5, Request);
        Assert.Equal(2, _intake.Take());
        Assert.Equal(1, _intake.Take());
    }

    [Theory]
    [InlineData(5000, 500)]
    [InlineData(100, 64)]
    public void As_many_wait_in_front_as_come_in_within_half_of_the_target(int perSecond, int waiting)
    {
        for (long now = 0; now <= 1_000_000; now += 10_000)
        {
            for (int i = 0; i < perSecond / 100; i++)
                _intake.OnEntered();
            _intake.OnTurn(now, Target, Target, 1, Request);
        }
        Assert.Equal(waiting, _intake.WaitingMax);
    }

    [Fact]
    public void One_answer_in_so_many_ends_its_connection_while_somebody_waits()
    {
        Assert.DoesNotContain(true, Enumerable.Range(0, 200).Select(_ => _intake.Rotates(5_000_000)));
        _intake.OnWaiting(5_000_000);
        Assert.Equal(3, Enumerable.Range(0, 192).Count(_ => _intake.Rotates(5_100_000)));
        Assert.DoesNotContain(true, Enumerable.Range(0, 200).Select(_ => _intake.Rotates(9_000_000)));
    }
}
