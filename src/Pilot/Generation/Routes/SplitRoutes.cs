using Envoy.Config.Core.V3;
using Envoy.Config.Route.V3;
using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>A route configuration taken apart: what it says about all hosts, and each of its virtual hosts as a resource of its
/// own.</summary>
/// <param name="Shell">The configuration without hosts; it tells the proxy to ask for them.</param>
/// <param name="Hosts">The hosts. Empty where the configuration could not be taken apart and is whole.</param>
internal sealed record SplitRoutes(WireResource Shell, IReadOnlyList<WireResource> Hosts)
{
    /// <summary>Metadata of a node that puts virtual hosts together. Envoy asks for hosts only when a request needs them, and gets whole
    /// tables, as from istiod.</summary>
    public const string Capability = "LATEEN_VIRTUAL_HOSTS";

    /// <summary>Whether a node gets its hosts one by one.</summary>
    public static bool IsWanted(ProxyNode node) => node.Metadata.Flag(Capability) && node.Metadata.Generator.Length == 0;

    /// <summary>The node as one that gets whole tables: a stream of state of the world names no hosts.</summary>
    public static ProxyNode WithWholeTables(ProxyNode node)
    {
        if (!IsWanted(node)) return node;
        var raw = node.Metadata.Raw.Clone();
        raw.Fields.Remove(Capability);
        return node with { Metadata = node.Metadata with { Raw = raw } };
    }

    /// <summary>A configuration that stays in one piece.</summary>
    public static SplitRoutes Whole(WireResource routes) => new(routes, []);

    /// <summary>Takes a configuration apart; the message is used up.</summary>
    /// <param name="routes">The configuration, patched.</param>
    /// <param name="pool">Hosts that were made before.</param>
    public static SplitRoutes Of(RouteConfiguration routes, WirePool pool)
    {
        // A host of such a name could not be told from one of another configuration.
        if (routes.VirtualHosts.Any(static host => host.Name.Contains('/'))) return Whole(WireResource.Of(routes.Name, routes));
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var names = new HashSet<string>();
        var hosts = new List<WireResource>(routes.VirtualHosts.Count);
        foreach (var host in routes.VirtualHosts)
        {
            var made = pool.Of($"{routes.Name}/{host.Name}", host);
            // "Only unique values for domains are permitted": of two hosts the later one is held out, and the others serve.
            if (!names.Add(host.Name)) continue;
            var twice = host.Domains.FirstOrDefault(domain => !taken.Add(domain));
            hosts.Add(twice is null ? made : made.Broken($"VirtualHost.Domains: {twice} is a domain of another virtual host"));
        }
        routes.VirtualHosts.Clear();
        routes.Vhds = new Vhds { ConfigSource = new ConfigSource
        {
            Ads = new AggregatedConfigSource(),
            ResourceApiVersion = ApiVersion.V3,
        } };
        return new SplitRoutes(WireResource.Of(routes.Name, routes), hosts);
    }

    /// <summary>Shell and hosts as one list; the shell comes first.</summary>
    public IReadOnlyList<WireResource> All => [Shell, .. Hosts];

    /// <summary>The same from one list.</summary>
    public static SplitRoutes From(IReadOnlyList<WireResource> all) => new(all[0], [.. all.Skip(1)]);
}
