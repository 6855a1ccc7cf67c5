using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Resolution;

/// <summary>What the system knows of names: its servers, its own table, the domains that are tried behind a name.</summary>
/// <param name="Servers">Where to ask.</param>
/// <param name="Hosts">Names that need no question, in lower case.</param>
/// <param name="Search">Domains.</param>
public sealed record SystemNames(IReadOnlyList<Address> Servers, IReadOnlyDictionary<string, IReadOnlyList<Address>> Hosts,
    IReadOnlyList<string> Search)
{
    /// <summary>Nothing known.</summary>
    public static readonly SystemNames None = new([], new Dictionary<string, IReadOnlyList<Address>>(), []);

    /// <summary>Reads /etc/resolv.conf and /etc/hosts; what cannot be read is empty.</summary>
    public static SystemNames Read()
    {
        var servers = new List<Address>();
        var search = new List<string>();
        foreach (string[] words in Lines("/etc/resolv.conf"))
        {
            if (words[0] == "nameserver" && words.Length > 1 && Address.TryParse(words[1], 53, out Address server))
                servers.Add(server);
            else if (words[0] == "search")
                search = [.. words[1..]];
        }
        var hosts = new Dictionary<string, IReadOnlyList<Address>>(StringComparer.Ordinal);
        foreach (string[] words in Lines("/etc/hosts"))
        {
            if (!Address.TryParse(words[0], 0, out Address address))
                continue;
            foreach (string name in words[1..])
                hosts[name.ToLowerInvariant()] = [.. hosts.GetValueOrDefault(name.ToLowerInvariant(), []), address];
        }
        return new SystemNames(servers, hosts, search);
    }

    private static IEnumerable<string[]> Lines(string path)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (IOException)
        {
            return [];
        }
        catch (UnauthorizedAccessException)
        {
            return [];
        }
        return lines.Select(l => l.Split('#', ';')[0].Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)).Where(w => w.Length > 0);
    }
}

/// <summary>Asks name servers for addresses. One a loop; each question has its own id and time.</summary>
public sealed class DnsResolver(EventLoop loop, Func<SystemNames> system)
{
    // Per try; all servers are asked in turn, twice.
    private const long TryMicros = 2_000_000;
    private const int Rounds = 2;

    private readonly Dictionary<ushort, Query> _queries = [];
    private DatagramSocket? _v4, _v6;
    private SystemNames? _system;

    /// <summary>Asks for one type of one name. <paramref name="done"/> is called on the loop, never within this call.</summary>
    public void Resolve(string name, ushort type, IReadOnlyList<Address> servers, Action<DnsOutcome, IReadOnlyList<Address>, uint> done)
    {
        _system ??= system();
        string key = name.TrimEnd('.').ToLowerInvariant();
        IReadOnlyList<Address> asked = servers.Count > 0 ? servers : _system.Servers;
        if (_system.Hosts.TryGetValue(key, out IReadOnlyList<Address>? known))
        {
            AddressKind kind = type == DnsMessage.TypeA ? AddressKind.V4 : AddressKind.V6;
            loop.Defer(new Told(done, DnsOutcome.Answer, [.. known.Where(a => a.Kind == kind)], uint.MaxValue));
            return;
        }
        var names = new List<string> { key };
        if (!name.EndsWith('.'))
            names.AddRange(_system.Search.Select(s => key + "." + s.TrimEnd('.')));
        var query = new Query(this, names, type, asked, done);
        if (asked.Count == 0)
            loop.Defer(new Told(done, DnsOutcome.Failure, [], 0));
        else
            query.Ask();
    }

    private DatagramSocket SocketFor(in Address server)
    {
        bool v6 = server.Kind == AddressKind.V6;
        ref DatagramSocket? socket = ref v6 ? ref _v6 : ref _v4;
        if (socket is null)
        {
            socket = loop.OpenDatagram(v6 ? Address.V6(0, 0) : Address.V4(0, 0));
            socket.Received = OnReceived;
        }
        return socket;
    }

    private void OnReceived(Address from, ReadOnlyMemory<byte> datagram)
    {
        ReadOnlySpan<byte> bytes = datagram.Span;
        if (bytes.Length >= 2 && _queries.TryGetValue((ushort)(bytes[0] << 8 | bytes[1]), out Query? query))
            query.OnAnswer(from, bytes);
    }

    private sealed class Told(Action<DnsOutcome, IReadOnlyList<Address>, uint> done, DnsOutcome outcome, IReadOnlyList<Address> addresses,
        uint ttl) : Letter
    {
        protected internal override void Deliver() => done(outcome, addresses, ttl);
    }

    private sealed class Query(DnsResolver owner, List<string> names, ushort type, IReadOnlyList<Address> servers,
        Action<DnsOutcome, IReadOnlyList<Address>, uint> done) : Deadline
    {
        private readonly byte[] _question = new byte[300];
        private int _length, _try, _name;
        private ushort _id;

        public void Ask()
        {
            EventLoop loop = owner.Loop;
            do
            {
                _id = (ushort)loop.Chance.NextULong();
            }
            while (owner._queries.ContainsKey(_id));
            _length = DnsMessage.WriteQuestion(_question, _id, names[_name], type);
            if (_length == 0)
            {
                loop.Defer(new Told(done, DnsOutcome.NoName, [], 0));
                return;
            }
            owner._queries[_id] = this;
            Address server = servers[_try % servers.Count];
            loop.Arm(this, TryMicros);
            try
            {
                owner.SocketFor(server).Send(server, _question.AsSpan(0, _length));
            }
            catch (ListenException)
            {
                // No socket of this family: the time passes, and the next server may be of the other.
            }
        }

        public void OnAnswer(Address from, ReadOnlySpan<byte> message)
        {
            if (from != servers[_try % servers.Count])
                return;
            var addresses = new List<Address>();
            if (!DnsMessage.TryRead(message, _id, _question.AsSpan(0, _length), type, addresses, out DnsOutcome outcome, out uint ttl))
                return;
            Leave();
            if (outcome == DnsOutcome.Failure && ++_try < servers.Count * Rounds)
                Ask();
            else if (outcome == DnsOutcome.NoName && _name + 1 < names.Count)
                NextName();
            else
                done(outcome, addresses, ttl);
        }

        protected internal override void OnDue(long now)
        {
            Leave();
            if (++_try < servers.Count * Rounds)
                Ask();
            else
                done(DnsOutcome.Failure, [], 0);
        }

        private void NextName()
        {
            _name++;
            _try = 0;
            Ask();
        }

        private void Leave()
        {
            owner._queries.Remove(_id);
            owner.Loop.Disarm(this);
        }
    }

    private EventLoop Loop => loop;
}
