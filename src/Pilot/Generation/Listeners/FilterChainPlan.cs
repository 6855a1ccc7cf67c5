// Listeners: what a proxy listens on: outbound listeners per port, the two that catch redirected traffic, inbound filter chains, and the
// connection managers and TCP proxies inside them.
//
// A listener is first planned (`FilterChainPlan`: match, TLS, HTTP or filters), because chains of several services meet on one port and are
// merged or refused there; then rendered once.
//
// Pure functions of `ProxyInputs`. Never: routes by name only are made here (inline ones are asked of Routes), secrets are names.
//
// Refused: building Envoy messages first and comparing them for conflicts: two chains conflict by their match alone, and messages compare
// badly.
using System.Net;
using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>One filter chain before it is rendered.</summary>
internal sealed record FilterChainPlan
{
    /// <summary>Server names; an asterisk among them means any.</summary>
    public IReadOnlyList<string> SniHosts { get; init; } = [];

    /// <summary>Destination addresses or ranges.</summary>
    public IReadOnlyList<string> Destinations { get; init; } = [];

    /// <summary>ALPN values.</summary>
    public IReadOnlyList<string> ApplicationProtocols { get; init; } = [];

    /// <summary><c>tls</c>, <c>raw_buffer</c> or empty.</summary>
    public string TransportProtocol { get; init; } = "";

    /// <summary>Which resource asked for it.</summary>
    public Metadata? Provenance { get; init; }

    /// <summary>TLS to terminate.</summary>
    public DownstreamTlsContext? Tls { get; init; }

    /// <summary>HTTP settings; null for bytes.</summary>
    public HttpPlan? Http { get; init; }

    /// <summary>Network filters; in front of the connection manager when there is one.</summary>
    public IReadOnlyList<Filter> Filters { get; init; } = [];

    /// <summary>Matches whatever comes.</summary>
    public bool IsMatchAll =>
        (SniHosts.Count == 0 || SniHosts.Contains("*")) && ApplicationProtocols.Count == 0 && TransportProtocol.Length == 0
            && Destinations.Count == 0;

    /// <summary>Looks at the names or protocols that a TLS client sends.</summary>
    public bool NeedsTlsInspector => SniHosts.Count > 0 || Tls?.CommonTlsContext is { AlpnProtocols.Count: > 0 };

    /// <summary>Both would match the same connections, so Envoy would refuse them side by side.</summary>
    public bool ConflictsWith(FilterChainPlan other) =>
        TransportProtocol == other.TransportProtocol
        && ApplicationProtocols.SequenceEqual(other.ApplicationProtocols)
        && Names(this).SetEquals(Names(other))
        && Ranges(this).SetEquals(Ranges(other));

    /// <summary>The match; null when everything matches.</summary>
    public FilterChainMatch? Match()
    {
        if (IsMatchAll) return null;
        var match = new FilterChainMatch { TransportProtocol = TransportProtocol };
        match.ApplicationProtocols.Add(ApplicationProtocols);
        if (!SniHosts.Contains("*")) match.ServerNames.Add(SniHosts.Order(StringComparer.Ordinal));
        foreach (var destination in Destinations.Order(StringComparer.Ordinal))
        {
            if (CidrOf(destination) is { } range && range.AddressPrefix != "0.0.0.0") match.PrefixRanges.Add(range);
        }
        return match;
    }

    /// <summary>A range as Envoy writes it: an address alone is a range of one.</summary>
    public static CidrRange? CidrOf(string text)
    {
        if (text.Length == 0) return null;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash >= 0)
        {
            return IPNetwork.TryParse(text, out _) || IPAddress.TryParse(text.AsSpan(0, slash), out _)
                ? new CidrRange
                {
                    AddressPrefix = text[..slash],
                    PrefixLen = uint.Parse(text.AsSpan(slash + 1), System.Globalization.CultureInfo.InvariantCulture),
                }
                : null;
        }
        return new CidrRange { AddressPrefix = text, PrefixLen = text.Contains(':') ? 128u : 32u };
    }

    private static HashSet<string> Names(FilterChainPlan plan) =>
        plan.SniHosts.Where(static n => n != "*").ToHashSet(StringComparer.Ordinal);

    // 1.2.3.4/8 and 1.5.6.7/8 are the same range.
    private static HashSet<string> Ranges(FilterChainPlan plan)
    {
        var result = new HashSet<string>(StringComparer.Ordinal);
        foreach (var destination in plan.Destinations)
        {
            if (CidrOf(destination) is not { } range || range.AddressPrefix == "0.0.0.0"
                || !IPAddress.TryParse(range.AddressPrefix, out var address)) continue;
            var bytes = address.GetAddressBytes();
            var bits = (int)(range.PrefixLen ?? 0);
            for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)(bytes[i] & (0xFF00 >> Math.Clamp(bits - i * 8, 0, 8)));
            result.Add($"{new IPAddress(bytes)}/{bits}");
        }
        return result;
    }
}
