using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Epoll;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Net;

/// <summary>A turn reads its connections before it serves them: who is served first may change what the others want.</summary>
public sealed class EpollTurnTests : IDisposable
{
    private readonly List<Exception> _defects = [];
    private readonly EpollLoop _loop;
    private readonly Probe[] _served = new Probe[2];

    public EpollTurnTests() => _loop = new EpollLoop(new EpollLoopOptions { OnDefect = _defects.Add });

    public void Dispose()
    {
        Assert.Empty(_defects);
        _loop.Dispose();
    }

    [Fact]
    public void Who_is_paused_by_another_of_its_turn_hears_later_and_hears_all()
    {
        int first = Send((_, other) => other.Transport!.Reading = false);
        Probe paused = _served[1 - first];
        Run(() => false, turns: 5);
        Assert.Equal(("message", ""), (_served[first].Text, paused.Text));
        paused.Transport!.Reading = true;
        Run(() => paused.Text.Length > 0);
        Assert.Equal("message", paused.Text);
    }

    [Fact]
    public void What_was_held_comes_before_what_came_after_it_and_before_the_end()
    {
        Probe[] clients = Join();
        int first = Send((_, other) => other.Transport!.Reading = false, clients);
        Probe paused = _served[1 - first];
        clients[1 - first].Transport!.Send(" and more"u8);
        clients[1 - first].Transport!.EndSend();
        Run(() => false, turns: 5);
        Assert.False(paused.Ended);
        paused.Transport!.Reading = true;
        Run(() => paused.Ended);
        Assert.Equal("message and more", paused.Text);
    }

    [Fact]
    public void Who_is_closed_by_another_of_its_turn_hears_nothing()
    {
        int first = Send((_, other) => other.Transport!.Close());
        Probe closed = _served[1 - first];
        Run(() => closed.Closings > 0);
        Assert.Equal(("message", "", 1), (_served[first].Text, closed.Text, closed.Closings));
    }

    [Fact]
    public void Long_messages_of_many_arrive_whole_beside_short_ones()
    {
        Probe[] clients = Join(40);
        byte[] noise = new byte[300_000];
        new Random(7).NextBytes(noise);
        for (int i = 0; i < clients.Length; i++)
            clients[i].Transport!.Send(noise.AsSpan(0, i % 3 == 0 ? noise.Length - i : 20_000 / (i + 1)));
        Run(() => Enumerable.Range(0, 40).All(i => _all[i].Received.Length == (i % 3 == 0 ? noise.Length - i : 20_000 / (i + 1))));
        for (int i = 0; i < clients.Length; i++)
            Assert.True(noise.AsSpan().StartsWith(_all[i].Received.ToArray()), $"connection {i}");
    }

    // In the order of the clients.
    private List<Probe> _all = [];

    // Both send in one turn, and are heard in the next: the index of the one that was served first is the result.
    private int Send(Action<Probe, Probe> whenServed, Probe[]? joined = null)
    {
        Probe[] clients = joined ?? Join();
        int first = -1;
        for (int i = 0; i < 2; i++)
        {
            int me = i;
            _served[i] = _all[i];
            _served[i].WhenData = (_, _) =>
            {
                if (first >= 0)
                    return;
                first = me;
                whenServed(_served[me], _served[1 - me]);
            };
            clients[i].Transport!.Send("message"u8);
        }
        Run(() => first >= 0);
        return first;
    }

    private Probe[] Join(int count = 2)
    {
        var acceptor = new ProbeAcceptor(() => new Probe { KeepOpenAtEnd = true });
        ListeningSocket socket = _loop.Listen(new ListenOptions(Address.V4(0x7f000001, 0)), acceptor);
        Probe[] clients = [.. Enumerable.Range(0, count).Select(_ => new Probe())];
        foreach (Probe client in clients)
            client.Transport = _loop.Connect(new ConnectOptions(socket.Address), client);
        Run(() => acceptor.Accepted.Count == count && Array.TrueForAll(clients, c => c.Connected));
        _all = [.. clients.Select(c => acceptor.Accepted.Find(a => a.Transport!.Remote == c.Transport!.Local)!)];
        return clients;
    }

    private void Run(Func<bool> condition, int turns = 2_000)
    {
        for (int i = 0; i < turns && !condition(); i++)
            _loop.Turn(5_000);
    }
}
