using System.Globalization;
using System.Text;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Balancing;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Tcp.Redis;

/// <summary>The Redis proxy (redis_proxy), at the end of a chain.</summary>
public sealed class RedisFilter(RedisOptions options, Upstreams upstreams, int workers) : NetworkFilterFactory
{
    private readonly Dictionary<Host, RedisUpstream>?[] _connections = new Dictionary<Host, RedisUpstream>?[workers];

    /// <inheritdoc/>
    public override NetworkFilter Create(TcpSession session) => new Serving(this, session);

    private RedisUpstream? UpstreamOf(Worker worker, RedisRoute route, Picking inputs)
    {
        if (upstreams[worker].Of(route.Cluster) is not { } cluster
            || cluster.PickHost(inputs, default, out WorkerCluster owner) is not { } host)
            return null;
        Dictionary<Host, RedisUpstream> mine = _connections[worker.Index] ??= [];
        if (!mine.TryGetValue(host, out RedisUpstream? upstream) || upstream.IsOver)
            mine[host] = upstream = new RedisUpstream(worker, owner, host, options.TimeoutMicros);
        return upstream;
    }

    private RedisRoute? RouteOf(ReadOnlySpan<byte> key)
    {
        foreach (RedisRoute route in options.Routes)
        {
            if (key.Length >= route.Prefix.Length
                && (options.IgnoreCase ? Ascii.EqualsIgnoreCase(key[..route.Prefix.Length], route.Prefix) : key.StartsWith(route.Prefix)))
                return route;
        }
        return null;
    }

    private ReadOnlySpan<byte> HashedPart(ReadOnlySpan<byte> key)
    {
        int open = options.HashTags ? key.IndexOf((byte)'{') : -1;
        int length = open < 0 ? -1 : key[(open + 1)..].IndexOf((byte)'}');
        return length > 0 ? key.Slice(open + 1, length) : key;
    }

    private sealed class Picking : PickInputs
    {
        public override bool Rejects(Host host) => false;
    }

    /// <summary>One client's connection.</summary>
    private sealed class Serving(RedisFilter filter, TcpSession session) : NetworkFilter
    {
        private readonly ByteBuffer _input = new(0);
        private readonly Queue<Answer> _answers = new();
        private readonly Picking _inputs = new();
        private bool _over, _leaving, _welcome;

        public override NetworkVerdict OnData(TcpSession on, ref ReadOnlySpan<byte> bytes)
        {
            _input.Append(bytes);
            bytes = default;
            int at = 0;
            while (at < _input.Length && !_leaving)
            {
                RespOutcome outcome = Resp.Measure(_input.Written[at..], out int length);
                if (outcome == RespOutcome.More)
                    break;
                if (outcome == RespOutcome.Broken)
                {
                    new Answer(this, 1).Done(Resp.Error("downstream protocol error"));
                    Leave();
                    break;
                }
                List<byte[]>? words = Resp.Words(_input.Written.Slice(at, length));
                at += length;
                Serve(words);
            }
            byte[] rest = _input.Written[at..].ToArray();
            _input.Clear();
            _input.Append(rest);
            return NetworkVerdict.Continue;
        }

        public override void OnEnd(TcpSession on) => _over = true;

        private void Serve(List<byte[]>? words)
        {
            if (words is null)
            {
                new Answer(this, 1).Done(Resp.Error("invalid request"));
                return;
            }
            string name = Encoding.Latin1.GetString(words[0]).ToLowerInvariant();
            RedisCommandKind kind = RedisCommands.Find(name);
            if (kind == RedisCommandKind.Local)
                ServeHere(name, words);
            else if (filter.Options.Passwords.Count > 0 && !_welcome)
                new Answer(this, 1).Done(Resp.Error("NOAUTH Authentication required."));
            else if (kind == RedisCommandKind.Unknown)
                new Answer(this, 1).Done(
                    Resp.Error($"ERR unknown command '{Encoding.Latin1.GetString(words[0])}', with args beginning "
                        + $"with: {(words.Count > 1 ? Encoding.Latin1.GetString(words[1]) : "")}"));
            else if (words.Count < (kind == RedisCommandKind.Script ? 4 : kind == RedisCommandKind.Set ? 3 : 2)
                || (kind == RedisCommandKind.Set && words.Count % 2 == 0))
                new Answer(this, 1).Done(Resp.Error($"wrong number of arguments for '{Encoding.Latin1.GetString(words[0])}' command"));
            else
                Send(kind, words);
        }

        private void ServeHere(string name, List<byte[]> words)
        {
            var answer = new Answer(this, 1);
            switch (name)
            {
                case "ping":
                    answer.Done("+PONG\r\n"u8);
                    break;
                case "echo":
                    answer.Done(words.Count == 2 ? Resp.Bulk(words[1]) : Resp.Error("wrong number of arguments for 'echo' command"));
                    break;
                case "time":
                    long now = session.Connection.Worker.Loop.WallClock;
                    answer.Done(Resp.Request([Digits(now / 1_000_000), Digits(now % 1_000_000)]));
                    break;
                case "auth":
                    answer.Done(Admit(words));
                    break;
                default:
                    answer.Done("+OK\r\n"u8);
                    Leave();
                    break;
            }
        }

        private static byte[] Digits(long number) => Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));

        private byte[] Admit(List<byte[]> words)
        {
            if (words.Count is < 2 or > 3)
                return Resp.Error("wrong number of arguments for 'auth' command");
            if (filter.Options.Passwords.Count == 0)
                return Resp.Error("ERR Client sent AUTH, but no password is set");
            bool named = words.Count == 2 || words[1].AsSpan().SequenceEqual(filter.Options.User);
            bool known = false;
            foreach (byte[] password in filter.Options.Passwords)
                known |= System.Security.Cryptography.CryptographicOperations.FixedTimeEquals(password, words[^1]);
            _welcome = named && known;
            return _welcome ? "+OK\r\n"u8.ToArray()
                : Resp.Error(words.Count == 3 ? "WRONGPASS invalid username-password pair" : "ERR invalid password");
        }

        private void Send(RedisCommandKind kind, List<byte[]> words)
        {
            if (kind is RedisCommandKind.Simple or RedisCommandKind.Script)
            {
                SendTo(words, kind == RedisCommandKind.Simple ? 1 : 3, new Answer(this, 1), 0);
                return;
            }
            int step = kind == RedisCommandKind.Set ? 2 : 1, parts = (words.Count - 1) / step;
            var answer = new Answer(this, parts, kind);
            for (int i = 0; i < parts; i++)
            {
                byte[] command = kind == RedisCommandKind.Get ? "get"u8.ToArray() : kind == RedisCommandKind.Set
                    ? "set"u8.ToArray() : words[0];
                SendTo([command, .. words.GetRange(1 + (i * step), step)], 1, answer, i);
            }
        }

        private void SendTo(List<byte[]> words, int keyAt, Answer answer, int part)
        {
            byte[] key = words[keyAt];
            RedisRoute? route = filter.RouteOf(key);
            if (route is { RemovePrefix: true })
                words[keyAt] = key[route.Prefix.Length..];
            _inputs.HasHash = true;
            _inputs.Hash = Hashing.Murmur64(filter.HashedPart(words[keyAt]));
            if (route is null || filter.UpstreamOf(session.Connection.Worker, route, _inputs) is not { } upstream)
                answer.Take(part, Resp.Error("no upstream host"));
            else
                upstream.Send(Resp.Request(words), new Part(answer, part));
        }

        private void Leave()
        {
            _leaving = true;
            if (_answers.Count == 0)
                session.Close();
        }

        private void Flush()
        {
            while (_answers.TryPeek(out Answer? answer) && answer.Text is { } text)
            {
                _answers.Dequeue();
                if (!_over)
                    session.SendDownstream(text);
            }
            if (_leaving && _answers.Count == 0 && !_over)
                session.Close();
        }

        private sealed class Part(Answer answer, int part) : RedisWaiter
        {
            public override void OnAnswer(ReadOnlySpan<byte> value) => answer.Take(part, value);
        }

        /// <summary>The answer to one request, from one host or several.</summary>
        private sealed class Answer
        {
            private readonly Serving _owner;
            private readonly RedisCommandKind _kind;
            private readonly byte[]?[] _parts;
            private int _missing;

            public Answer(Serving owner, int parts, RedisCommandKind kind = RedisCommandKind.Simple)
            {
                _owner = owner;
                _kind = kind;
                _parts = new byte[]?[parts];
                _missing = parts;
                owner._answers.Enqueue(this);
            }

            public byte[]? Text { get; private set; }

            public void Done(ReadOnlySpan<byte> text)
            {
                Text = text.ToArray();
                _owner.Flush();
            }

            public void Take(int part, ReadOnlySpan<byte> value)
            {
                _parts[part] = value.ToArray();
                if (--_missing == 0)
                    Done(Joined());
            }

            private byte[] Joined()
            {
                if (_kind == RedisCommandKind.Simple)
                    return _parts[0]!;
                if (_kind == RedisCommandKind.Get)
                    return [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"*{_parts.Length}\r\n")),
                        .. _parts.SelectMany(p => p!)];
                int errors = _parts.Count(p => _kind == RedisCommandKind.Sum ? Resp.Integer(p) is null : p is not [(byte)'+', ..]);
                if (errors > 0)
                    return Resp.Error(string.Create(CultureInfo.InvariantCulture, $"finished with {errors} error(s)"));
                return _kind == RedisCommandKind.Set
                    ? "+OK\r\n"u8.ToArray() : Encoding.ASCII.GetBytes(
                        string.Create(CultureInfo.InvariantCulture, $":{_parts.Sum(p => Resp.Integer(p)!.Value)}\r\n"));
            }
        }
    }

    private RedisOptions Options => options;
}
