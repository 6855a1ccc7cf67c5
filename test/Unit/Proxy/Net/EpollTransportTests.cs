using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Lateen.Proxy;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Epoll;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Net;

public sealed class EpollTransportTests : TransportContract, IDisposable
{
    private readonly List<Exception> _defects = [];
    private readonly EpollLoop _loop;

    public EpollTransportTests() => _loop = new EpollLoop(new EpollLoopOptions { OnDefect = _defects.Add });

    protected override EventLoop Client => _loop;

    protected override EventLoop Server => _loop;

    protected override Address ListenAt => Address.V4(0x7f000001, 0);

    protected override bool Run(Func<bool> condition)
    {
        // Loopback is quiet for 300 ms only when nothing more will come. Turns are long on a busy machine as well; then the thread works.
        (long quietSince, long began, long worked) = (Stopwatch.GetTimestamp(), Stopwatch.GetTimestamp(), ThreadMicros());
        while (!condition())
        {
            long turn = Stopwatch.GetTimestamp();
            _loop.Turn(50_000);
            if (Stopwatch.GetElapsedTime(turn).TotalMilliseconds < 40 || ThreadMicros() - worked > 5_000)
                (quietSince, worked) = (Stopwatch.GetTimestamp(), ThreadMicros());
            if (Stopwatch.GetElapsedTime(quietSince).TotalMilliseconds > 300 || Stopwatch.GetElapsedTime(began).TotalSeconds > 20)
                return condition();
        }
        return true;
    }

    // CLOCK_THREAD_CPUTIME_ID of clock_gettime(2).
    private static long ThreadMicros() => ReadClock(3, out Timespec now) == 0 ? (now.Seconds * 1_000_000) + (now.Nanos / 1_000) : 0;

    private struct Timespec
    {
        public long Seconds, Nanos;
    }

    [DllImport("libc", EntryPoint = "clock_gettime")]
    private static extern int ReadClock(int clock, out Timespec now);

    public void Dispose()
    {
        Assert.Empty(_defects);
        _loop.Dispose();
    }

    [Fact]
    public void A_warm_turn_allocates_nothing()
    {
        (Probe client, Func<Probe> server, _) = Join();
        var ping = new PingPong();
        var pong = new PingPong();
        client.Transport!.Handler = ping;
        server().Transport!.Handler = pong;
        client.Transport.Send(new byte[900]);
        for (int i = 0; i < 2_000; i++)
            _loop.Turn(1_000_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        int served = pong.Count;
        for (int i = 0; i < 1_000; i++)
            _loop.Turn(1_000_000);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(pong.Count - served >= 400);
        Assert.Equal(0, allocated);
        Assert.Equal(900L * ping.Count, ping.Bytes);
    }

    private sealed class PingPong : TransportHandler
    {
        public int Count;
        public long Bytes;

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
            Count++;
            Bytes += bytes.Length;
            transport.Send(bytes);
        }

        public override void OnClosed(Transport transport, CloseReason reason)
        {
        }
    }

    [Fact]
    public void Letters_from_another_thread_wake_the_loop()
    {
        int delivered = 0;
        using var other = new EpollLoop();
        Thread thread = other.Start();
        for (int i = 0; i < 1_000; i++)
        {
            var answer = new Note(() => delivered++);
            other.Post(new Note(() => _loop.Post(answer)));
        }
        Assert.True(Run(() => delivered == 1_000));
        other.Stop();
        Assert.True(thread.Join(5_000));
    }

    [Fact]
    public void A_connect_that_nobody_answers_times_out()
    {
        // A listener whose queue is full answers no further connect.
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        var at = Address.From(IPAddress.Loopback, ((IPEndPoint)full.LocalEndPoint!).Port);
        var probes = new List<Probe>();
        for (int i = 0; i < 4; i++)
        {
            probes.Add(new Probe());
            _loop.Connect(new ConnectOptions(at, TimeoutMicros: 100_000), probes[^1]);
        }
        Assert.True(Run(() => probes.Exists(p => p.Closings == 1)));
        Assert.All(probes.FindAll(p => p.Closings == 1), p => Assert.Equal(CloseReason.Timeout, p.Reason));
    }

    [Fact]
    public void A_source_address_is_kept()
    {
        var acceptor = new ProbeAcceptor(() => new Probe());
        ListeningSocket socket = _loop.Listen(new ListenOptions(ListenAt), acceptor);
        _loop.Connect(new ConnectOptions(socket.Address, Source: Address.V4(0x7f000005, 0)), new Probe());
        Assert.True(Run(() => acceptor.Accepted.Count == 1));
        Assert.Equal("127.0.0.5", acceptor.Accepted[0].Transport!.Remote.Host);
        Assert.Equal(AddressKind.None, acceptor.Accepted[0].Transport!.OriginalDestination.Kind);
    }

    [Fact]
    public void An_inherited_listening_descriptor_is_adopted()
    {
        using var inherited = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        inherited.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        inherited.Listen(16);
        var acceptor = new ProbeAcceptor(() => new Probe { Echo = true });
        ListeningSocket socket = _loop.Adopt(Duplicate((int)inherited.SafeHandle.DangerousGetHandle()), acceptor);
        var client = new Probe { WhenConnected = t => t.Send("hi"u8) };
        _loop.Connect(new ConnectOptions(socket.Address), client);
        Assert.True(Run(() => client.Text == "hi"));
    }

    [DllImport("libc", EntryPoint = "dup")]
    private static extern int Duplicate(int descriptor);

    [Fact]
    public void A_defect_costs_its_connection_and_nothing_else()
    {
        (Probe client, Func<Probe> server, _) = Join();
        (Probe other, Func<Probe> otherServer, _) = Join(server: () => new Probe { Echo = true });
        server().WhenData = (_, _) => throw new InvariantException("a defect");
        client.Transport!.Send("x"u8);
        other.Transport!.Send("y"u8);
        Assert.True(Run(() => client.Closings == 1 && server().Closings == 1 && other.Text == "y"));
        Assert.Equal(CloseReason.Reset, client.Reason);
        Assert.IsType<InvariantException>(Assert.Single(_defects));
        Assert.Equal(0, otherServer().Closings);
        _defects.Clear();
    }

    [Fact]
    public void IPv6_and_a_dual_socket_work()
    {
        var acceptor = new ProbeAcceptor(() => new Probe { Echo = true });
        ListeningSocket dual = _loop.Listen(new ListenOptions(Address.V6(0, 0), V6Only: false), acceptor);
        foreach (Address to in new[] { Address.V6(1, dual.Address.Port), Address.V4(0x7f000001, dual.Address.Port) })
        {
            var client = new Probe { WhenConnected = t => t.Send("hi"u8) };
            _loop.Connect(new ConnectOptions(to), client);
            Assert.True(Run(() => client.Text == "hi"));
            Assert.Equal(to, acceptor.Accepted[^1].Transport!.Local);
        }
    }
}
