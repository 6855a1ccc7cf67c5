using System.Security.Cryptography;
using System.Text;
using Lateen.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Net;

/// <summary>What every ground must do alike: real sockets and the in-memory network.</summary>
public abstract class TransportContract
{
    protected abstract EventLoop Client { get; }

    protected abstract EventLoop Server { get; }

    protected abstract Address ListenAt { get; }

    protected virtual Address Named => Address.Unix("@lateen-contract-" + Environment.ProcessId + "-" + GetType().Name);

    /// <summary>Runs both loops until the condition holds; false where it does not within a few seconds.</summary>
    protected abstract bool Run(Func<bool> condition);

    private protected (Probe Client, Func<Probe> Server, ListeningSocket Socket) Join(Probe? client = null, Func<Probe>? server = null,
        Address? at = null)
    {
        client ??= new Probe();
        var acceptor = new ProbeAcceptor(server ?? (() => new Probe()));
        ListeningSocket socket = Server.Listen(new ListenOptions(at ?? ListenAt), acceptor);
        client.Transport = Client.Connect(new ConnectOptions(socket.Address), client);
        Assert.True(Run(() => client.Connected && acceptor.Accepted.Count == 1));
        return (client, () => acceptor.Accepted[0], socket);
    }

    private static byte[] Noise(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    [Fact]
    public void Bytes_travel_both_ways_and_a_close_is_told_to_both()
    {
        (Probe client, Func<Probe> server, _) = Join(server: () => new Probe { Echo = true });
        client.Transport!.Send("hello"u8);
        Assert.True(Run(() => client.Text == "hello"));
        Assert.Equal(client.Transport.Local, server().Transport!.Remote);
        client.Transport.Close();
        Assert.Equal(0, client.Closings);
        Assert.True(client.Transport.IsClosed);
        Assert.True(Run(() => client.Closings == 1 && server().Closings == 1));
        Assert.Equal((CloseReason.Local, CloseReason.Remote), (client.Reason!.Value, server().Reason!.Value));
    }

    [Fact]
    public void Nobody_listening_is_refused_on_a_later_turn()
    {
        ListeningSocket socket = Server.Listen(new ListenOptions(ListenAt), new ProbeAcceptor(() => new Probe()));
        socket.Close();
        var client = new Probe();
        Client.Connect(new ConnectOptions(socket.Address), client);
        Assert.Equal(0, client.Closings);
        Assert.True(Run(() => client.Closings == 1));
        Assert.Equal((CloseReason.Refused, false), (client.Reason!.Value, client.Connected));
    }

    [Fact]
    public void One_direction_may_end_while_the_other_goes_on()
    {
        (Probe client, Func<Probe> server, _) = Join(new Probe { KeepOpenAtEnd = true }, () => new Probe { KeepOpenAtEnd = true });
        client.Transport!.Send("question"u8);
        client.Transport.EndSend();
        Assert.True(Run(() => server().Ended));
        Assert.Equal("question", server().Text);
        byte[] answer = Noise(1_000_000, 1);
        server().Transport!.Send(answer);
        server().Transport!.EndSend();
        Assert.True(Run(() => client.Closings == 1 && server().Closings == 1));
        Assert.True(client.Ended);
        Assert.Equal(answer, client.Received.ToArray());
        Assert.Equal((CloseReason.Remote, CloseReason.Remote), (client.Reason!.Value, server().Reason!.Value));
    }

    [Fact]
    public void An_abort_resets_the_peer()
    {
        (Probe client, Func<Probe> server, _) = Join();
        server().Transport!.Close(abort: true);
        Assert.True(Run(() => client.Closings == 1 && server().Closings == 1));
        Assert.Equal((CloseReason.Reset, CloseReason.Local), (client.Reason!.Value, server().Reason!.Value));
    }

    [Fact]
    public void A_reader_that_pauses_holds_the_sender_and_loses_nothing()
    {
        (Probe client, Func<Probe> server, _) = Join();
        server().Transport!.Reading = false;
        byte[] bytes = Noise(24 << 20, 2);
        for (int i = 0; i < bytes.Length; i += 100_000)
            client.Transport!.Send(bytes.AsSpan(i, Math.Min(100_000, bytes.Length - i)));
        Assert.True(client.Transport!.IsAboveWatermark);
        Assert.True(Run(() => client.Transport.PendingBytes > 1 << 20));
        Assert.Equal((0, 0L), (client.Writables, server().Received.Length));
        server().Transport!.Reading = true;
        Assert.True(Run(() => server().Received.Length == bytes.Length && client.Writables > 0));
        Assert.Equal(1, client.Writables);
        Assert.Equal(0, client.Transport.PendingBytes);
        Assert.Equal(SHA256.HashData(bytes), SHA256.HashData(server().Received.ToArray()));
    }

    [Fact]
    public void A_close_lets_pending_bytes_leave_first()
    {
        (Probe client, Func<Probe> server, _) = Join();
        byte[] bytes = Noise(5_000_000, 3);
        client.Transport!.Send(bytes);
        client.Transport.Close();
        client.Transport.Send("too late"u8);
        Assert.True(Run(() => client.Closings == 1 && server().Closings == 1));
        Assert.Equal(bytes, server().Received.ToArray());
    }

    [Fact]
    public void Both_directions_carry_random_pieces_in_order()
    {
        (Probe client, Func<Probe> server, _) = Join();
        var random = new Random(4);
        byte[] up = Noise(3_000_000, 5), down = Noise(3_000_000, 6);
        int sentUp = 0, sentDown = 0;
        while (sentUp < up.Length || sentDown < down.Length)
        {
            int n = Math.Min(random.Next(1, 70_000), up.Length - sentUp), m = Math.Min(random.Next(1, 70_000), down.Length - sentDown);
            client.Transport!.Send(up.AsSpan(sentUp, n));
            server().Transport!.Send(down.AsSpan(sentDown, m));
            sentUp += n;
            sentDown += m;
            if (random.Next(3) == 0)
                client.Transport!.Flush();
            Run(() => random.Next(2) == 0);
        }
        Assert.True(Run(() => server().Received.Length == up.Length && client.Received.Length == down.Length));
        Assert.Equal(up, server().Received.ToArray());
        Assert.Equal(down, client.Received.ToArray());
    }

    [Fact]
    public void Unix_and_internal_addresses_connect_like_any_other()
    {
        foreach (Address at in new[] { Named, Address.Internal("inner") })
        {
            EventLoop loop = Server;
            var acceptor = new ProbeAcceptor(() => new Probe { Echo = true });
            ListeningSocket socket = loop.Listen(new ListenOptions(at), acceptor);
            Assert.Equal(at, socket.Address);
            var client = new Probe { KeepOpenAtEnd = true };
            Transport transport = loop.Connect(new ConnectOptions(at), client);
            Assert.False(client.Connected);
            byte[] bytes = Noise(200_000, 7);
            transport.Send(bytes);
            transport.EndSend();
            Assert.True(Run(() => client.Closings == 1 && acceptor.Accepted is [{ Closings: 1 }]));
            Assert.Equal(bytes, client.Received.ToArray());
            Assert.True(client.Ended);
            socket.Close();
            var late = new Probe();
            loop.Connect(new ConnectOptions(at), late);
            Assert.True(Run(() => late.Closings == 1));
            Assert.Equal(CloseReason.Refused, late.Reason);
        }
    }

    [Fact]
    public void An_internal_reader_that_pauses_holds_the_sender()
    {
        var acceptor = new ProbeAcceptor(() => new Probe());
        Server.Listen(new ListenOptions(Address.Internal("slow")), acceptor);
        var client = new Probe();
        Transport transport = Server.Connect(new ConnectOptions(Address.Internal("slow")), client);
        Assert.True(Run(() => client.Connected));
        acceptor.Accepted[0].Transport!.Reading = false;
        byte[] bytes = Noise(2_000_000, 8);
        transport.Send(bytes);
        Assert.True(transport.IsAboveWatermark);
        Run(() => false);
        Assert.Equal((2_000_000, 0L), (transport.PendingBytes, acceptor.Accepted[0].Received.Length));
        acceptor.Accepted[0].Transport!.Reading = true;
        Assert.True(Run(() => acceptor.Accepted[0].Received.Length == bytes.Length && client.Writables == 1));
        acceptor.Accepted[0].Transport!.Close(abort: true);
        Assert.True(Run(() => client.Closings == 1));
        Assert.Equal(CloseReason.Reset, client.Reason);
    }

    [Fact]
    public void A_listener_that_rests_accepts_later_what_came_meanwhile()
    {
        var acceptor = new ProbeAcceptor(() => new Probe());
        ListeningSocket socket = Server.Listen(new ListenOptions(ListenAt), acceptor);
        socket.Accepting = false;
        var client = new Probe();
        Transport transport = Client.Connect(new ConnectOptions(socket.Address), client);
        Assert.True(Run(() => client.Connected));
        transport.Send("early"u8);
        Run(() => false);
        Assert.Empty(acceptor.Accepted);
        socket.Accepting = true;
        Assert.True(Run(() => acceptor.Accepted is [{ Text: "early" }]));
    }

    [Fact]
    public void Two_sockets_with_reuse_port_share_an_address_and_one_without_is_refused_it()
    {
        ListeningSocket first = Server.Listen(new ListenOptions(ListenAt), new ProbeAcceptor(() => new Probe()));
        ListeningSocket second = Server.Listen(new ListenOptions(first.Address), new ProbeAcceptor(() => new Probe()));
        Assert.Equal(first.Address, second.Address);
        var refused = Assert.Throws<ListenException>(
            () => Server.Listen(new ListenOptions(first.Address, ReusePort: false), new ProbeAcceptor(() => new Probe())));
        Assert.Contains("in use", refused.Message);
    }

    [Fact]
    public void Deadlines_come_in_order_and_may_be_moved_or_taken_back()
    {
        var order = new List<string>();
        long began = Client.Now;
        var late = new Alarm(_ => order.Add("late"));
        var early = new Alarm(_ => order.Add("early"));
        var never = new Alarm(_ => order.Add("never"));
        Client.Arm(late, 1_000);
        Client.Arm(early, 10_000);
        Client.Arm(never, 5_000);
        Client.Arm(late, 30_000);
        Client.Disarm(never);
        Assert.False(never.IsArmed);
        Assert.True(Run(() => order.Count == 2));
        Assert.Equal(["early", "late"], order);
        Assert.InRange(Client.Now - began, 30_000, 1_000_000);
        Assert.False(late.IsArmed);
    }

    [Fact]
    public void A_letter_is_delivered_once_however_often_it_is_posted()
    {
        int count = 0, deferred = 0;
        Note note = null!;
        note = new Note(() => count++);
        var later = new Note(() => deferred++);
        Client.Post(note);
        Client.Post(note);
        Client.Defer(later);
        Client.Defer(later);
        Assert.Equal(0, count);
        Assert.True(Run(() => count == 1 && deferred == 1));
        Client.Post(note);
        Assert.True(Run(() => count == 2));
    }

    [Fact]
    public void Datagrams_come_with_their_sender()
    {
        DatagramSocket here = Client.OpenDatagram(ListenAt.WithPort(0)), there = Server.OpenDatagram(ListenAt.WithPort(0));
        var heard = new List<(Address, string)>();
        there.Received = (from, bytes) => heard.Add((from, Encoding.ASCII.GetString(bytes.Span)));
        here.Send(there.Address, "one"u8);
        here.Send(there.Address, "two"u8);
        Assert.True(Run(() => heard.Count == 2));
        Assert.Equal([(here.Address, "one"), (here.Address, "two")], heard);
    }
}
