namespace Lateen.Api.Names;

/// <summary>The protocol of a port as declared; <see cref="Unsupported"/> is undeclared or not known, which means that the proxy looks at
/// the first bytes.</summary>
public enum Protocol
{
    Unsupported,
    Tcp,
    Udp,
    Http,
    HttpProxy,
    Http2,
    Https,
    Grpc,
    GrpcWeb,
    Tls,
    Mongo,
    Redis,
    MySql,
    Hbone,
}

/// <summary>What kind of listener a port needs.</summary>
public enum ListenerKind
{
    Unknown,
    Tcp,
    Http,

    /// <summary>Decided by the first bytes of each connection.</summary>
    Auto,
}

/// <summary>Protocols by their names, and from the ports of Kubernetes services.</summary>
public static class Protocols
{
    private const string GrpcWebPrefix = "grpc-web";

    /// <summary>The name as Istio's API writes it.</summary>
    public static string NameOf(Protocol protocol) => protocol switch
    {
        Protocol.Tcp => "TCP",
        Protocol.Udp => "UDP",
        Protocol.Http => "HTTP",
        Protocol.HttpProxy => "HTTP_PROXY",
        Protocol.Http2 => "HTTP2",
        Protocol.Https => "HTTPS",
        Protocol.Grpc => "GRPC",
        Protocol.GrpcWeb => "GRPC-Web",
        Protocol.Tls => "TLS",
        Protocol.Mongo => "Mongo",
        Protocol.Redis => "Redis",
        Protocol.MySql => "MySQL",
        Protocol.Hbone => "HBONE",
        _ => "UnsupportedProtocol",
    };

    /// <summary>Reads a protocol's name in any case.</summary>
    public static Protocol Parse(string name) => name.ToLowerInvariant() switch
    {
        "tcp" => Protocol.Tcp,
        "udp" => Protocol.Udp,
        "http" => Protocol.Http,
        "http_proxy" => Protocol.HttpProxy,
        "http2" => Protocol.Http2,
        "https" => Protocol.Https,
        "grpc" => Protocol.Grpc,
        "grpc-web" => Protocol.GrpcWeb,
        "tls" => Protocol.Tls,
        "mongo" => Protocol.Mongo,
        "redis" => Protocol.Redis,
        "mysql" => Protocol.MySql,
        "hbone" => Protocol.Hbone,
        _ => Protocol.Unsupported,
    };

    /// <summary>The protocol of a port of a Kubernetes Service: appProtocol, else the name before its first hyphen, else TCP where servers
    /// speak first.</summary>
    /// <param name="port">The service's port number.</param>
    /// <param name="portName">Its name; may be empty.</param>
    /// <param name="transport">TCP, UDP or empty.</param>
    /// <param name="appProtocol">Null when not given; when given, the name does not count.</param>
    public static Protocol OfServicePort(int port, string portName, string transport, string? appProtocol)
    {
        if (transport == "UDP") return Protocol.Udp;
        switch (appProtocol)
        {
            case "kubernetes.io/h2c":
                return Protocol.Http2;
            case "kubernetes.io/ws":
                return Protocol.Http;
            case "kubernetes.io/wss":
                return Protocol.Https;
        }

        var name = appProtocol ?? portName;
        if (name.StartsWith(GrpcWebPrefix, StringComparison.OrdinalIgnoreCase)
            && (name.Length == GrpcWebPrefix.Length || name[GrpcWebPrefix.Length] == '-')) return Protocol.GrpcWeb;
        var hyphen = name.IndexOf('-', StringComparison.Ordinal);
        var parsed = Parse(hyphen < 0 ? name : name[..hyphen]);
        return parsed == Protocol.Unsupported && IsServerFirst(port) ? Protocol.Tcp : parsed;
    }

    /// <summary>SMTP, DNS, MySQL and MongoDB: the server speaks first there, so that waiting for the client's bytes would wait for
    /// ever.</summary>
    public static bool IsServerFirst(int port) => port is 25 or 53 or 3306 or 27017;

    public static bool IsHttp(this Protocol protocol) =>
        protocol is Protocol.Http or Protocol.Http2 or Protocol.HttpProxy or Protocol.Grpc or Protocol.GrpcWeb;

    public static bool IsHttp2(this Protocol protocol) => protocol is Protocol.Http2 or Protocol.Grpc or Protocol.GrpcWeb;

    public static bool IsTls(this Protocol protocol) => protocol is Protocol.Https or Protocol.Tls;

    public static bool IsTcp(this Protocol protocol) =>
        protocol is Protocol.Tcp or Protocol.Https or Protocol.Tls or Protocol.Mongo or Protocol.Redis or Protocol.MySql;

    /// <summary>The kind of listener for the protocol.</summary>
    public static ListenerKind ListenerOf(Protocol protocol) =>
        protocol.IsHttp() ? ListenerKind.Http : protocol.IsTcp() ? ListenerKind.Tcp : protocol == Protocol.Unsupported
            ? ListenerKind.Auto : ListenerKind.Unknown;
}
