using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Security;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>Names, addresses and chains of listeners.</summary>
internal static class ListenerRenderer
{
    /// <summary>Prefix of a bind that is a unix socket.</summary>
    public const string UnixPrefix = "unix://";

    /// <summary><c>bind_port</c>.</summary>
    public static string NameOf(string bind, int port) => $"{bind}_{port}";

    /// <summary>Where a listener listens: an address and port, or a path.</summary>
    public static Address AddressOf(string bind, int port, SocketAddress.Types.Protocol protocol = SocketAddress.Types.Protocol.Tcp) =>
        bind.StartsWith(UnixPrefix, StringComparison.Ordinal)
            ? new Address { Pipe = new Pipe { Path = bind[UnixPrefix.Length..] } }
            : new Address { SocketAddress = new SocketAddress { Address = bind, PortValue = (uint)port, Protocol = protocol } };

    /// <summary>Further addresses.</summary>
    public static IEnumerable<AdditionalAddress> Additional(IEnumerable<string> binds, int port,
        SocketAddress.Types.Protocol protocol = SocketAddress.Types.Protocol.Tcp) =>
        binds.Select(bind => new AdditionalAddress { Address = AddressOf(bind, port, protocol) });

    /// <summary>Name of a connection manager in statistics; the semicolon tells where it ends.</summary>
    public static string StatPrefix(string listener) => $"outbound_{listener};";

    /// <summary>A filter chain out of its plan.</summary>
    public static FilterChain Chain(ListenerParts parts, FilterChainPlan plan)
    {
        var chain = new FilterChain
        {
            Metadata = plan.Provenance,
            TransportSocket = plan.Http is { IsQuic: true } ? TlsContexts.QuicSocket(plan.Tls) : TlsContexts.Socket(plan.Tls),
            TransportSocketConnectTimeout = Wire.Seconds(TlsContexts.HandshakeSeconds),
            FilterChainMatch = plan.Match(),
        };
        chain.Filters.Add(plan.Filters);
        if (plan.Http is { } http) chain.Filters.Add(NetworkFilters.Http(ConnectionManagers.Build(parts, http)));
        return chain;
    }
}
