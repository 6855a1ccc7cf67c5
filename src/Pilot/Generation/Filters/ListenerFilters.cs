using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Listener.HttpInspector.V3;
using Envoy.Extensions.Filters.Listener.OriginalDst.V3;
using Envoy.Extensions.Filters.Listener.OriginalSrc.V3;
using Envoy.Extensions.Filters.Listener.ProxyProtocol.V3;
using Envoy.Extensions.Filters.Listener.TlsInspector.V3;
using Google.Protobuf;

namespace Lateen.Pilot.Generation.Filters;

/// <summary>Listener filters.</summary>
internal static class ListenerFilters
{
    private const uint TransparentMark = 1337;

    /// <summary>Tells TLS from plaintext; reads SNI and ALPN. 512 bytes hold most ClientHellos, more is read when needed.</summary>
    public static ListenerFilter TlsInspector() =>
        Named("envoy.filters.listener.tls_inspector", new TlsInspector { InitialReadBufferSize = 512 });

    /// <summary>Tells HTTP from other bytes.</summary>
    public static ListenerFilter HttpInspector() => Named("envoy.filters.listener.http_inspector", new HttpInspector());

    /// <summary>The address that the client meant.</summary>
    public static ListenerFilter OriginalDestination() => Named("envoy.filters.listener.original_dst", new OriginalDst());

    /// <summary>Keeps the client's address towards the application.</summary>
    public static ListenerFilter OriginalSource() =>
        Named("envoy.filters.listener.original_src", new OriginalSrc { Mark = TransparentMark });

    /// <summary>Reads the PROXY protocol.</summary>
    public static ListenerFilter ProxyProtocol() => Named("envoy.filters.listener.proxy_protocol", new ProxyProtocol());

    /// <summary>Switches a filter off for ports.</summary>
    public static ListenerFilter ExceptOn(this ListenerFilter filter, IReadOnlyList<int> ports)
    {
        if (ports.Count > 0) filter.FilterDisabled = Any(ports);
        return filter;
    }

    /// <summary>Switches a filter off for all ports but these.</summary>
    public static ListenerFilter OnlyOn(this ListenerFilter filter, IReadOnlyList<int> ports)
    {
        if (ports.Count > 0) filter.FilterDisabled = new ListenerFilterChainMatchPredicate { NotMatch = Any(ports) };
        return filter;
    }

    private static ListenerFilterChainMatchPredicate Any(IReadOnlyList<int> ports)
    {
        var rules = ports.Order().Select(static port => new ListenerFilterChainMatchPredicate
        {
            DestinationPortRange = new Envoy.Type.V3.Int32Range { Start = port, End = port + 1 },
        }).ToList();
        if (rules.Count == 1) return rules[0];
        return new ListenerFilterChainMatchPredicate { OrMatch =
            new ListenerFilterChainMatchPredicate.Types.MatchSet { Rules = { rules } } };
    }

    private static ListenerFilter Named(string name, IMessage config) => new() { Name = name, TypedConfig = Wire.Pack(config) };
}
