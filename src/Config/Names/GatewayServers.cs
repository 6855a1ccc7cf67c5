// Questions about written messages whose answer is in the message alone, asked by validation and by whoever gives configuration its
// meaning.
// They stand here, below both, so that a server of a gateway is the same kind of server to all.
//
// Pure functions; nothing here knows other objects.
// Refused: extension members on generated messages (a reader could not tell ours from protobuf's).
using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;

namespace Lateen.Config.Names;

/// <summary>What a server of a Gateway does, from its protocol and its TLS settings.</summary>
public static class GatewayServers
{
    /// <summary>TLS is seen as TLS: settings are given and the protocol is not plain HTTP.</summary>
    public static bool IsTls(Server server) => server.Tls is not null && !Protocols.Parse(server.Port?.Protocol ?? "").IsHttp();

    /// <summary>The connection goes on encrypted as it came.</summary>
    public static bool IsPassthrough(Server server) =>
        server.Tls?.Mode is ServerTLSSettings.Types.TLSmode.Passthrough or ServerTLSSettings.Types.TLSmode.AutoPassthrough;

    /// <summary>Requests are seen: plain HTTP, or HTTPS that ends here.</summary>
    public static bool IsHttp(Server server)
    {
        var protocol = Protocols.Parse(server.Port?.Protocol ?? "");
        return protocol.IsHttp() || (protocol == Protocol.Https && server.Tls is not null && !IsPassthrough(server));
    }

    public static bool IsHttpsTerminating(Server server) =>
        Protocols.Parse(server.Port?.Protocol ?? "") == Protocol.Https && server.Tls is not null && !IsPassthrough(server);

    public static bool IsTcpTlsTerminating(Server server) => IsTls(server) && !IsPassthrough(server) && !IsHttp(server);

    /// <summary>HTTP/3 is offered beside HTTPS that ends here, where QUIC listeners are on.</summary>
    public static bool IsEligibleForHttp3(Server server, bool quicListeners) =>
        quicListeners && IsHttpsTerminating(server) && !server.Tls.HttpsRedirect;
}
