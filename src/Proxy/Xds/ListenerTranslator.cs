using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Listener.ProxyProtocol.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Matching;
using Lateen.Proxy.Net;
using Lateen.Proxy.Server;
using Lateen.Proxy.Xds.Matching;
using Chain = Envoy.Config.Listener.V3.FilterChain;
using Core = Envoy.Config.Core.V3;
using Message = Envoy.Config.Listener.V3.Listener;

namespace Lateen.Proxy.Xds;

/// <summary>Listeners (LDS and static ones).</summary>
/// <param name="Listener">The running listener.</param>
/// <param name="Routes">Names of the route configurations that it waits for.</param>
/// <param name="Extensions">Discovered filters that it waits for.</param>
/// <param name="Secrets">Secrets that it waits for, and for how long, in microseconds.</param>
internal sealed record TranslatedListener(Listeners.Listener Listener, IReadOnlyList<RouteReference> Routes,
    IReadOnlyList<string> Extensions, IReadOnlyList<(string Name, long Patience)> Secrets);

/// <summary>A route configuration that comes by discovery.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Source">Where from.</param>
internal sealed record RouteReference(string Name, Core.ConfigSource? Source);

/// <summary>Translates listeners.</summary>
internal sealed class ListenerTranslator(Translation translation, NetworkTranslator network)
{
    /// <summary>The running listener; null where the message must not be accepted.</summary>
    public TranslatedListener? Translate(Message message, Rejections rejections)
    {
        var routes = new List<RouteReference>();
        translation.Extensions.TakeAsked();
        translation.Security.TakeAwaited();
        translation.IsInbound = message.TrafficDirection == Core.TrafficDirection.Inbound;
        translation.IsOutbound = message.TrafficDirection == Core.TrafficDirection.Outbound;
        Address address = message.InternalListener is not null ? Address.Internal(message.Name)
            : message.Address is null && message.ApiListener is not null ? default : ValueTranslator.Address(message.Address, rejections);
        if (message.UdpListenerConfig is not null)
            rejections.Add("UDP listeners (QUIC) are not served");
        if (message.ApiListener is not null)
            rejections.Add("API listeners are for proxyless clients and not served here");
        string prefix = (message.StatPrefix.Length > 0 ? message.StatPrefix : address.ToString()).Replace(':', '_');
        translation.ListenerStatPrefix = $"listener.{prefix}.";
        var chains = new List<ListenerChain>();
        for (int i = 0; i < message.FilterChains.Count; i++)
        {
            using Rejections.Scope scope = rejections.In($"filter_chains[{i}]");
            if (Chain(message.FilterChains[i], message, routes, rejections) is { } chain)
                chains.Add(chain);
        }
        ListenerChain? otherwise = message.DefaultFilterChain is null
            ? null : Chain(message.DefaultFilterChain, message, routes, rejections);
        if (message.FilterChains.Count == 0 && message.DefaultFilterChain is null)
            rejections.Add($"error adding listener '{address}': no filter chains specified");
        MatchTree<ConnectionFacts, string>? matcher = null;
        if (message.FilterChainMatcher is not null)
        {
            using Rejections.Scope scope = rejections.In("filter_chain_matcher");
            matcher = ChainMatcherTranslator.Translate(message.FilterChainMatcher, rejections);
        }
        var table = new ChainTable(chains, otherwise, matcher);
        if (table.Conflict is { } conflict)
            rejections.Add($"error adding listener '{address}': filter chain '{conflict.Second.Name}' has the same matching rules "
                + $"defined as '{conflict.First.Name}'");
        Listeners.Listener listener = Listener(message, address, table, rejections);
        return rejections.None
            ? new TranslatedListener(listener, routes, translation.Extensions.TakeAsked(), translation.Security.TakeAwaited()) : null;
    }

    private Listeners.Listener Listener(Message message, Address address, ChainTable table, Rejections rejections)
    {
#pragma warning disable CS0612 // older control planes say it by deprecated_v1
        bool binds = message.BindToPort ?? message.DeprecatedV1?.BindToPort ?? true;
#pragma warning restore CS0612
        return new Listeners.Listener
        {
            Name = message.Name.Length > 0 ? message.Name : address.ToString(),
            Address = address,
            AdditionalAddresses = [.. message.AdditionalAddresses.Select(a => ValueTranslator.Address(a.Address, rejections))],
            Binds = binds,
            Doors = Doors(message, address, rejections),
            FastOpen = (int)Math.Min(message.TcpFastOpenQueueLength ?? 0, int.MaxValue),
            IgnoresConnectionLimit = message.IgnoreGlobalConnLimit,
            BypassesOverload = message.BypassOverloadManager,
            HandsOver = message.UseOriginalDst ?? false,
            Inspectors = [.. message.ListenerFilters.Select(f => Inspector(f, rejections)).OfType<Inspector>()],
            InspectMicros = ValueTranslator.Micros(message.ListenerFiltersTimeout, 15_000_000),
            GoOnAfterTimeout = message.ContinueOnListenerFiltersTimeout,
            Chains = table,
            BufferLimit = (int)Math.Min(message.PerConnectionBufferLimitBytes ?? 1024 * 1024, int.MaxValue),
            IsInbound = message.TrafficDirection == Core.TrafficDirection.Inbound,
            ReusePort = message.EnableReusePort ?? true,
            Transparent = message.Transparent ?? false,
            FreeBind = message.Freebind ?? false,
            Backlog = (int)(message.TcpBacklogSize ?? 1024),
            Metadata = ValueTranslator.Metadata(message.Metadata),
            Recorder = network.Recorder(message, rejections),
            Counters = translation.ListenerCounters(
                (message.StatPrefix.Length > 0 ? message.StatPrefix : address.ToString()).Replace(':', '_')),
        };
    }

    // A further address has the listener's options of sockets unless it brings its own.
    private static Dictionary<Address, DoorOptions> Doors(Message message, Address address, Rejections rejections)
    {
        var doors = new Dictionary<Address, DoorOptions>();
        Add(address, message.Address, message.SocketOptions);
        foreach (AdditionalAddress further in message.AdditionalAddresses)
            Add(ValueTranslator.Address(further.Address, rejections), further.Address,
                further.SocketOptions?.SocketOptions ?? message.SocketOptions);
        return doors;

        void Add(Address at, Core.Address? asked, IReadOnlyList<Core.SocketOption> options)
        {
            if (options.Count > 0 || asked?.Pipe?.Mode is > 0 || asked?.SocketAddress?.Ipv4Compat is true)
                doors[at] = new DoorOptions(asked?.SocketAddress?.Ipv4Compat ?? false, (int)(asked?.Pipe?.Mode ?? 0),
                    [.. options.Select(ValueTranslator.Option)]);
        }
    }

    private static Inspector? Inspector(ListenerFilter filter, Rejections rejections)
    {
        Any config = filter.TypedConfig ?? new Any();
        List<(int, int)> disabled = Disabled(filter.FilterDisabled, rejections);
        switch (ValueTranslator.TypeName(config))
        {
            case "envoy.extensions.filters.listener.original_dst.v3.OriginalDst":
                return new Inspector(InspectorKind.OriginalDestination, disabled);
            case "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector":
                return new Inspector(InspectorKind.Tls, disabled);
            case "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector":
                return new Inspector(InspectorKind.Http, disabled);
            case "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol":
                ProxyProtocol? p = ValueTranslator.Unpack(config, ProxyProtocol.Parser, rejections);
                int allow = (p?.AllowRequestsWithoutProxyProtocol ?? false) ? 7 : 3;
                foreach (Core.ProxyProtocolConfig.Types.Version version in p?.DisallowedVersions ?? [])
                    allow &= version == Core.ProxyProtocolConfig.Types.Version.V1 ? ~1 : ~2;
                return new Inspector(
                    InspectorKind.ProxyProtocol,
                    disabled,
                    allow,
                    [.. (p?.Rules ?? []).Select(
                        r => ((int)r.TlvType, r.OnTlvPresent?.MetadataNamespace is { Length: > 0 } ns
                            ? ns : "envoy.filters.listener.proxy_protocol", r.OnTlvPresent?.Key ?? ""))],
                    p?.PassThroughTlvs is not { } passed
                        ? null : passed.MatchType == Core.ProxyProtocolPassThroughTLVs.Types.PassTLVsMatchType.IncludeAll
                        ? [] : [.. passed.TlvType.Select(t => (int)t)]);
            default:
                rejections.Add(
                    $"Didn't find a registered implementation for '{filter.Name}' with type URL: '{ValueTranslator.TypeName(config)}'");
                return null;
        }
    }

    // Istio writes port ranges, alone or joined by or; nothing else is met.
    private static List<(int, int)> Disabled(ListenerFilterChainMatchPredicate? predicate, Rejections rejections)
    {
        switch (predicate?.RuleCase)
        {
            case null or ListenerFilterChainMatchPredicate.RuleOneofCase.None:
                return [];
            case ListenerFilterChainMatchPredicate.RuleOneofCase.AnyMatch:
                return predicate.AnyMatch ? [(0, 65536)] : [];
            case ListenerFilterChainMatchPredicate.RuleOneofCase.DestinationPortRange:
                return [(predicate.DestinationPortRange.Start, predicate.DestinationPortRange.End)];
            case ListenerFilterChainMatchPredicate.RuleOneofCase.OrMatch:
                return [.. predicate.OrMatch.Rules.SelectMany(r => Disabled(r, rejections))];
            case ListenerFilterChainMatchPredicate.RuleOneofCase.AndMatch:
                // Ports at which all rules hold are those at which none of their opposites does.
                return Complement([.. predicate.AndMatch.Rules.SelectMany(r => Complement(Disabled(r, rejections)))]);
            case ListenerFilterChainMatchPredicate.RuleOneofCase.NotMatch:
                return Complement(Disabled(predicate.NotMatch, rejections));
            default:
                rejections.Add($"filter_disabled {predicate.RuleCase} is not served");
                return [];
        }
    }

    private static List<(int, int)> Complement(List<(int From, int Until)> ranges)
    {
        var result = new List<(int, int)>();
        int at = 0;
        foreach ((int from, int until) in ranges.OrderBy(r => r.From))
        {
            if (from > at)
                result.Add((at, from));
            at = Math.Max(at, until);
        }
        if (at < 65536)
            result.Add((at, 65536));
        return result;
    }

    private ListenerChain? Chain(Chain chain, Message message, List<RouteReference> routes, Rejections rejections)
    {
        ChainHandler? handler = Handler(chain, message, routes, rejections);
        DownstreamSecurity? security = translation.Security.Downstream(chain.TransportSocket, rejections);
        if (handler is null)
            return null;
        Metadata metadata = ValueTranslator.Metadata(chain.Metadata);
        return new ListenerChain
        {
            Name = chain.Name,
            Match = Match(chain.FilterChainMatch, rejections),
            Security = security,
            HandshakeMicros = ValueTranslator.Micros(chain.TransportSocketConnectTimeout),
            Handler = handler,
            Metadata = metadata,
            Origin = metadata.Text("istio", "config") ?? "",
            Fingerprint = Fingerprint(chain),
            FrontFingerprint = Fingerprint(new Chain { Filters = { chain.Filters.SkipLast(1) } }),
        };
    }

    private static string Fingerprint(Chain chain) =>
        Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(chain.ToByteArray()));

    private ChainHandler? Handler(Chain chain, Message message, List<RouteReference> routes, Rejections rejections)
    {
        Filter? last = chain.Filters.LastOrDefault();
        if (last?.TypedConfig is null)
        {
            // A chain without filters reads and drops; Envoy closes such a connection.
            return network.Chain(chain, message, rejections);
        }
        if (ValueTranslator.TypeName(
            last.TypedConfig) != "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager")
            return network.Chain(chain, message, rejections);
        using Rejections.Scope scope = rejections.In($"filters[{chain.Filters.Count - 1}]");
        HttpConnectionManager? manager = ValueTranslator.Unpack(last.TypedConfig, HttpConnectionManager.Parser, rejections);
        if (manager is null || HttpTranslator.Options(manager, translation, rejections) is not { } options)
            return null;
        if (manager.Rds is not null)
            routes.Add(new RouteReference(manager.Rds.RouteConfigName, manager.Rds.ConfigSource));
        var http = new HttpChainHandler(
            options with { BufferLimit = (int)Math.Min(message.PerConnectionBufferLimitBytes ?? 1024 * 1024, int.MaxValue) },
            translation.Workers)
        {
            // A listener that drains only when it is changed does not mind health checks.
            Failing = message.DrainType == Message.Types.DrainType.ModifyOnly ? null : translation.Failing,
        };
        return chain.Filters.Count == 1 ? http : network.Before(chain, message, http, rejections);
    }

    private static ChainMatch Match(FilterChainMatch? m, Rejections rejections)
    {
        if (m is null)
            return ChainMatch.Any;
        foreach (string name in m.ServerNames)
        {
            if (name.Contains('*', StringComparison.Ordinal)
                && (!name.StartsWith("*.", StringComparison.Ordinal) || name.LastIndexOf('*') > 0))
                rejections.Add($"partial wildcards are not supported in \"server_names\": {name}");
        }
        if (m.AddressSuffix.Length > 0 || m.SuffixLen is not null)
            rejections.Add("address_suffix is not served");
        return new ChainMatch
        {
            DestinationPort = (int)(m.DestinationPort ?? 0),
            DestinationPrefixes = Prefixes(m.PrefixRanges, rejections),
            ServerNames = [.. m.ServerNames.Select(n => n.ToLowerInvariant())],
            TransportProtocol = m.TransportProtocol,
            ApplicationProtocols = [.. m.ApplicationProtocols],
            DirectSourcePrefixes = Prefixes(m.DirectSourcePrefixRanges, rejections),
            SourceType = (SourceType)m.SourceType,
            SourcePrefixes = Prefixes(m.SourcePrefixRanges, rejections),
            SourcePorts = [.. m.SourcePorts.Select(p => (int)p)],
        };
    }

    private static List<Prefix> Prefixes(IEnumerable<Core.CidrRange> ranges, Rejections rejections) =>
        [.. ranges.Select(r => ValueTranslator.Prefix(r, rejections)).OfType<Prefix>()];
}

/// <summary>Network filters: everything that serves a connection before or in place of HTTP.</summary>
internal abstract class NetworkTranslator
{
    /// <summary>Serves a chain without HTTP.</summary>
    public abstract ChainHandler? Chain(Chain chain, Message listener, Rejections rejections);

    /// <summary>Serves the filters in front of an HTTP connection manager.</summary>
    public abstract ChainHandler? Before(Chain chain, Message listener, ChainHandler http, Rejections rejections);

    /// <summary>Writes down connections that no chain served (the listener's access logs); null for none.</summary>
    public abstract ConnectionRecorder? Recorder(Message listener, Rejections rejections);
}
