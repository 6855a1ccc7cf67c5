using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Server;

/// <summary>Tells when all workers have taken up what was published so far: a letter to each, behind those that are on their way to
/// it.</summary>
public sealed class WorkerFence(EventLoop main, IReadOnlyList<Worker> workers)
{
    /// <summary>Calls <paramref name="next"/> on the main loop when every worker has been there. Main loop.</summary>
    public void Then(Action next)
    {
        var crossing = new Crossing(next, workers.Count);
        foreach (Worker worker in workers)
            worker.Loop.Post(new There(main, crossing));
    }

    private sealed class Crossing(Action next, int workers)
    {
        private int _left = workers;

        public void Arrived()
        {
            if (--_left == 0)
                next();
        }
    }

    private sealed class There(EventLoop main, Crossing crossing) : Letter
    {
        protected internal override void Deliver() => main.Post(new Back(crossing));
    }

    private sealed class Back(Crossing crossing) : Letter
    {
        protected internal override void Deliver() => crossing.Arrived();
    }
}
