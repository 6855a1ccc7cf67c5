using System.Text;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Epoll;

namespace Lateen.Bench.Load.Moments;

/// <summary>
/// Clients that ask on a schedule, whatever the answers do, and hang up after a second. Over the proxy's own event loop, on one core.
/// Refused: tools whose next request waits for the last answer (they slow down with the server, and then nothing is ever overloaded).
/// </summary>
/// <param name="port">Where to.</param>
/// <param name="keeps">Connections serve many requests.</param>
/// <param name="connectionsMax">At most so many at once; what would need more is given up.</param>
internal sealed class OpenLoop(int port, bool keeps, int connectionsMax)
{
    // Between two looks at what has come.
    private const int AsksMax = 64;

    private const long TickMicros = 1000, PatienceMicros = 1_000_000;

    private readonly byte[] _request =
        Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n{(keeps ? "" : "Connection: close\r\n")}\r\n");
    private readonly Stack<Client> _idle = new();
    private readonly Queue<(Client Client, int Number, long Since)> _waiting = new();
    private readonly List<int> _took = [];
    private long _refused, _givenUp;
    private int _open;
    private EpollLoop _loop = null!;

    /// <summary>So many connections are open before the first request.</summary>
    public int Crowd { get; init; }

    /// <summary>What came of a run: what was asked (less than was to be asked where the clients' core is too slow), what was answered in
    /// time, and how long that took.</summary>
    internal sealed record Outcome(long Asked, long InTime, long Refused, long GivenUp, long MedianMicros, long LongestMicros);

    /// <summary>Asks so many times a second for some seconds. A rate far above what connections allow keeps all of them busy.</summary>
    public Outcome Run(double rate, int seconds)
    {
        using var loop = new EpollLoop(new EpollLoopOptions { Name = "load" });
        _loop = loop;
        var ticks = new Ticks(loop);
        Gather(loop, ticks);
        long begun = loop.Now, asked = 0, end = begun + (seconds * 1_000_000L);
        bool floods = rate >= 1_000_000;
        while (loop.Now < end)
        {
            long due = floods ? long.MaxValue : (long)((loop.Now - begun) * rate / 1e6);
            for (int left = AsksMax; left > 0 && asked < due && (!floods || HasRoom); left--)
            {
                asked++;
                Ask();
            }
            Reap();
            ticks.Arm();
            loop.Turn(asked < due && !floods ? 0 : TickMicros);
        }
        _took.Sort();
        return new Outcome(asked, _took.Count, _refused, _givenUp, _took.ElementAtOrDefault(_took.Count / 2), _took.LastOrDefault());
    }

    // Connections that are open before anybody asks.
    private void Gather(EpollLoop loop, Ticks ticks)
    {
        while (_open < Crowd)
        {
            for (int left = AsksMax; left > 0 && _open < Crowd; left--)
                _idle.Push(new Client(this));
            ticks.Arm();
            loop.Turn(TickMicros);
        }
    }

    private bool HasRoom => _idle.Count > 0 || _open < connectionsMax;

    private void Ask()
    {
        Client? client = null;
        while (client is null && _idle.TryPop(out Client? free))
            client = free.IsOver ? null : free;
        if (client is null && _open >= connectionsMax)
        {
            _givenUp++;
            return;
        }
        client ??= new Client(this);
        client.Ask(_request, _loop.Now);
        _waiting.Enqueue((client, client.Number, _loop.Now));
    }

    // Who has waited for too long hangs up.
    private void Reap()
    {
        while (_waiting.TryPeek(out (Client Client, int Number, long Since) first)
            && (first.Client.Number != first.Number || _loop.Now - first.Since > PatienceMicros))
        {
            _waiting.Dequeue();
            if (first.Client.Number != first.Number)
                continue;
            _givenUp++;
            first.Client.HangUp();
        }
    }

    private sealed class Ticks(EpollLoop loop) : Deadline
    {
        public void Arm()
        {
            if (!IsArmed)
                loop.Arm(this, TickMicros);
        }

        protected override void OnDue(long now)
        {
        }
    }

    private sealed class Client : TransportHandler
    {
        private readonly OpenLoop _all;
        private readonly Transport _transport;
        private byte[]? _first;
        private bool _connected, _isGood, _headSeen;
        private long _left, _since;

        public Client(OpenLoop all)
        {
            _all = all;
            all._open++;
            _transport = all._loop.Connect(new ConnectOptions(Address.V4(0x7f000001, all.Port)), this);
        }

        // Of the request under way; it changes when that is over.
        public int Number { get; private set; }

        public bool IsOver => _transport.IsClosed;

        public void Ask(byte[] request, long now)
        {
            (_headSeen, _left, _since) = (false, 0, now);
            if (_connected)
                _transport.Send(request);
            else
                _first = request;
        }

        public void HangUp()
        {
            Number++;
            _transport.Close();
        }

        public override void OnConnected(Transport transport)
        {
            _connected = true;
            if (_first is not null)
                transport.Send(_first);
        }

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
            if (!_headSeen)
            {
                // The head comes in one piece, being the first of what is sent.
                int head = bytes.IndexOf("\r\n\r\n"u8);
                _headSeen = true;
                _isGood = bytes.StartsWith("HTTP/1.1 200"u8);
                int at = bytes.IndexOf("content-length: "u8);
                _left = at >= 0 && at < head && System.Buffers.Text.Utf8Parser.TryParse(bytes[(at + 16)..], out long length, out _)
                    ? length : -1;
                bytes = bytes[(head + 4)..];
            }
            if (_left >= 0)
                _left -= bytes.Length;
            if (_left == 0 || (_left < 0 && bytes.EndsWith("0\r\n\r\n"u8)))
                Done(isGood: _isGood);
        }

        private void Done(bool isGood)
        {
            Number++;
            if (isGood)
                _all._took.Add((int)(_all._loop.Now - _since));
            else
                _all._refused++;
            if (_all.Keeps && isGood)
                _all._idle.Push(this);
            else
                _transport.Close();
        }

        public override void OnEnd(Transport transport) => transport.Close();

        public override void OnClosed(Transport transport, CloseReason reason) => _all._open--;
    }

    private int Port => port;

    private bool Keeps => keeps;
}
