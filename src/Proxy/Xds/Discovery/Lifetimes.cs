using Lateen.Proxy.Net;

namespace Lateen.Proxy.Xds.Discovery;

/// <summary>Resources that live for a time unless they are sent, or their heartbeat is, before it is over (xDS TTL): then they are taken
/// for removed.</summary>
internal sealed class Lifetimes(EventLoop loop, Func<ResourceConsumer> consumer)
{
    private readonly Dictionary<(string Type, string Name), Life> _lives = [];

    /// <summary>A resource came (or its heartbeat): so long it lives; 0 for ever.</summary>
    public void Renew(string type, string name, long micros)
    {
        if (_lives.TryGetValue((type, name), out Life? life) && micros <= 0)
        {
            loop.Disarm(life);
            _lives.Remove((type, name));
        }
        if (micros <= 0)
            return;
        if (life is null)
            _lives[(type, name)] = life = new Life(this, type, name);
        loop.Arm(life, micros);
    }

    private void OnOver(string type, string name)
    {
        _lives.Remove((type, name));
        consumer().Take(type, [], [name], isWhole: false);
    }

    private sealed class Life(Lifetimes owner, string type, string name) : Deadline
    {
        protected internal override void OnDue(long now) => owner.OnOver(type, name);
    }
}
