// Proxyless: what gRPC libraries get that speak xDS themselves (node metadata GENERATOR=grpc). They ask for everything by name: listeners
// by the target they dial ("host:port") or the address they serve at, routes and clusters by the names found there.
//
// State: none; everything is made for the names asked for.
//
// Refused: handing out the sidecar's resources and letting the library pick. Most of what is in them it doesn't know, and refuses.
using System.Globalization;
using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Generation.Proxyless;

/// <summary>The names of listeners that a library asks for, by the host that they mean.</summary>
internal sealed class ListenerNames
{
    /// <summary>In front of the address that a server listens at.</summary>
    public const string Inbound = "xds.istio.io/grpc/lds/inbound/";

    private readonly Dictionary<string, Asked> _byHost = [];

    private sealed class Asked
    {
        public SortedSet<string> Names { get; } = new(StringComparer.Ordinal);

        /// <summary>Null for all.</summary>
        public HashSet<int>? Ports { get; set; }
    }

    public ListenerNames(IEnumerable<string> names, ProxyNode node)
    {
        foreach (var name in names)
        {
            if (name.StartsWith(Inbound, StringComparison.Ordinal)) Servers.Add(name);
            else AddTarget(name, node);
        }
    }

    /// <summary>Names of listeners of servers.</summary>
    public SortedSet<string> Servers { get; } = new(StringComparer.Ordinal);

    /// <summary>The names by which a host was asked for.</summary>
    public IEnumerable<string> NamesOf(string host) => _byHost.TryGetValue(host, out var asked) ? asked.Names : [];

    /// <summary>Whether a port of a host was asked for: one of those named, or any where none was.</summary>
    public bool Includes(string host, int port) => _byHost.TryGetValue(host, out var asked) && asked.Ports?.Contains(port) != false;

    /// <summary>Parts "host:port"; the port is null where there is none.</summary>
    public static (string Host, int? Port) Split(string name)
    {
        var colon = name.LastIndexOf(':');
        if (colon < 0 || !int.TryParse(name.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            return (name, null);
        var host = name[..colon];
        if (host is ['[', .., ']']) return (host[1..^1], port);
        return host.Contains(':', StringComparison.Ordinal) ? (name, null) : (host, port);
    }

    private void AddTarget(string name, ProxyNode node)
    {
        var (host, port) = Split(name);
        foreach (var meant in new[] { host, Qualified(host, node) }.OfType<string>().Distinct())
        {
            var isNew = !_byHost.TryGetValue(meant, out var asked);
            if (asked is null) _byHost.Add(meant, asked = new Asked());
            asked.Names.Add(host);
            if (port is not { } number) asked.Ports = null;
            else if (isNew) asked.Ports = [number];
            else asked.Ports?.Add(number);
        }
    }

    // A name means what it would mean to the resolver of a pod in the node's namespace.
    private static string? Qualified(string name, ProxyNode node)
    {
        if (!name.Contains('.', StringComparison.Ordinal)) return $"{name}.{node.DnsDomain}";
        var ns = node.Metadata.Namespace;
        foreach (var suffix in new[] { ns, $"{ns}.svc" })
        {
            if (name.EndsWith($".{suffix}", StringComparison.Ordinal) && node.DnsDomain.StartsWith(suffix, StringComparison.Ordinal))
                return $"{name[..^(suffix.Length + 1)]}.{node.DnsDomain}";
        }
        return null;
    }
}
