using Lateen.Proxy.Matching;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Listeners;

/// <summary>
/// Finds the chain of a connection. Criteria are tried in Envoy's order, each level taking its most specific entry that fits, without
/// return to a less specific one: destination port, destination address, server name, transport protocol, application protocols, direct
/// source, source type, source address, source port.
/// </summary>
public sealed class ChainTable
{
    private readonly Level _root;

    /// <summary>Builds the table; chains that no connection could tell apart are reported by <see cref="Conflict"/>.</summary>
    /// <param name="chains">The chains.</param>
    /// <param name="otherwise">For connections that no chain serves.</param>
    /// <param name="matcher">Chooses by name in place of the chains' own criteria; null where these count.</param>
    public ChainTable(IReadOnlyList<ListenerChain> chains, ListenerChain? otherwise, MatchTree<ConnectionFacts, string>? matcher = null)
    {
        Matcher = matcher;
        Chains = chains;
        Otherwise = otherwise;
        _root = new Level();
        if (matcher is not null)
            return;
        foreach (ListenerChain chain in chains)
            Add(chain);
    }

    /// <summary>Chooses by name; null where the chains' criteria count.</summary>
    public MatchTree<ConnectionFacts, string>? Matcher { get; }

    /// <summary>The chains as they came.</summary>
    public IReadOnlyList<ListenerChain> Chains { get; }

    /// <summary>The chain for connections that no other serves; null for none.</summary>
    public ListenerChain? Otherwise { get; }

    /// <summary>Two chains with the same criteria; null where all differ.</summary>
    public (ListenerChain First, ListenerChain Second)? Conflict { get; private set; }

    /// <summary>The chain that serves a connection; null where none does.</summary>
    public ListenerChain? Find(ConnectionFacts facts) => Matcher is null ? ByPort(_root, facts) ?? Otherwise : ByMatcher(Matcher, facts);

    // A name that no chain has leads nowhere, not to the default chain (as Envoy).
    private ListenerChain? ByMatcher(MatchTree<ConnectionFacts, string> matcher, ConnectionFacts facts)
    {
        if (matcher.Find(facts) is not { } name)
            return Otherwise;
        foreach (ListenerChain chain in Chains)
        {
            if (chain.Name == name)
                return chain;
        }
        return null;
    }

    // One node of the nested maps; which of its tables is used is given by its depth.
    private sealed class Level
    {
        public Dictionary<int, Level> Numbers { get; } = [];

        public Dictionary<string, Level> Names { get; } = new(StringComparer.OrdinalIgnoreCase);

        public List<(Prefix Prefix, Level Level)> Ranges { get; } = [];

        public Level? Any { get; private set; }

        public ListenerChain? Chain { get; set; }

        public Level Rest() => Any ??= new Level();

        public Level Number(int n)
        {
            if (n == 0)
                return Rest();
            if (!Numbers.TryGetValue(n, out Level? level))
                Numbers[n] = level = new Level();
            return level;
        }

        public Level Name(string name)
        {
            if (name.Length == 0)
                return Rest();
            if (!Names.TryGetValue(name, out Level? level))
                Names[name] = level = new Level();
            return level;
        }

        public Level Range(Prefix? prefix)
        {
            if (prefix is not { } p)
                return Rest();
            int at = Ranges.FindIndex(r => r.Prefix == p);
            if (at >= 0)
                return Ranges[at].Level;
            var level = new Level();
            Ranges.Add((p, level));
            Ranges.Sort(static (a, b) => b.Prefix.Length.CompareTo(a.Prefix.Length));
            return level;
        }

        public Level? ByRange(in Address address)
        {
            foreach ((Prefix prefix, Level level) in Ranges)
            {
                if (prefix.Contains(address))
                    return level;
            }
            return Any;
        }
    }

    private void Add(ListenerChain chain)
    {
        ChainMatch m = chain.Match;
        Level port = _root.Number(m.DestinationPort);
        foreach (Prefix? destination in OrNone(m.DestinationPrefixes))
        {
            foreach (string name in OrEmpty(m.ServerNames))
            {
                Level transport = port.Range(destination).Name(name).Name(m.TransportProtocol);
                foreach (string protocol in OrEmpty(m.ApplicationProtocols))
                    AddSources(chain, transport.Name(protocol));
            }
        }
    }

    private void AddSources(ListenerChain chain, Level level)
    {
        ChainMatch m = chain.Match;
        foreach (Prefix? direct in OrNone(m.DirectSourcePrefixes))
        {
            Level type = level.Range(direct).Number((int)m.SourceType);
            foreach (Prefix? source in OrNone(m.SourcePrefixes))
            {
                foreach (int port in m.SourcePorts.Count == 0 ? [0] : m.SourcePorts)
                {
                    Level leaf = type.Range(source).Number(port);
                    if (leaf.Chain is { } first)
                        Conflict ??= (first, chain);
                    leaf.Chain ??= chain;
                }
            }
        }
    }

    private static IEnumerable<Prefix?> OrNone(IReadOnlyList<Prefix> prefixes) =>
        prefixes.Count == 0 ? [null] : prefixes.Select(p => (Prefix?)p);

    private static IReadOnlyList<string> OrEmpty(IReadOnlyList<string> names) => names.Count == 0 ? [""] : names;

    private static ListenerChain? ByPort(Level level, ConnectionFacts facts)
    {
        Level? next = level.Numbers.GetValueOrDefault(facts.Local.Port) ?? level.Any;
        return next?.ByRange(facts.Local) is { } address ? ByServerName(address, facts) : null;
    }

    private static ListenerChain? ByServerName(Level level, ConnectionFacts facts)
    {
        Level? next = null;
        string name = facts.ServerName;
        if (name.Length > 0 && !level.Names.TryGetValue(name, out next))
        {
            // *.a.b before *.b: each dot from the left opens a shorter suffix.
            for (int dot = name.IndexOf('.', StringComparison.Ordinal); dot >= 0 && next is null; dot = name.IndexOf('.', dot + 1))
                level.Names.TryGetValue("*" + name[dot..], out next);
        }
        next ??= level.Any;
        return next is null ? null : ByTransport(next, facts);
    }

    private static ListenerChain? ByTransport(Level level, ConnectionFacts facts)
    {
        Level? next = level.Names.GetValueOrDefault(facts.TransportProtocol) ?? level.Any;
        if (next is null)
            return null;
        foreach (string protocol in facts.ApplicationProtocols)
        {
            if (next.Names.TryGetValue(protocol, out Level? byProtocol))
                return BySource(byProtocol, facts);
        }
        return next.Any is { } any ? BySource(any, facts) : null;
    }

    private static ListenerChain? BySource(Level level, ConnectionFacts facts)
    {
        if (level.ByRange(facts.DirectRemote) is not { } types)
            return null;
        bool local = facts.Remote.IsLoopback || (facts.Remote.WithPort(0) == facts.Local.WithPort(0)) || !facts.Remote.IsIp;
        Level? type = types.Numbers.GetValueOrDefault((int)(local ? SourceType.SameIpOrLoopback : SourceType.External)) ?? types.Any;
        if (type?.ByRange(facts.Remote) is not { } ports)
            return null;
        return (ports.Numbers.GetValueOrDefault(facts.Remote.Port) ?? ports.Any)?.Chain;
    }
}
