namespace Lateen.Registry;

/// <summary>Protocol of a port as declared. <see cref="Unsupported"/> means: not declared, to be detected from the first bytes.</summary>
public enum Protocol
{
    /// <summary>Not declared (or a name nobody knows): the proxy sniffs.</summary>
    Unsupported,

    /// <summary>HTTP/1.1.</summary>
    Http,

    /// <summary>HTTP/2, prior knowledge.</summary>
    Http2,

    /// <summary>HTTP over TLS that the mesh does not terminate.</summary>
    Https,

    /// <summary>gRPC.</summary>
    Grpc,

    /// <summary>gRPC-Web.</summary>
    GrpcWeb,

    /// <summary>HBONE tunnel.</summary>
    Hbone,

    /// <summary>Explicit HTTP proxy.</summary>
    HttpProxy,

    /// <summary>Bytes.</summary>
    Tcp,

    /// <summary>TLS that the mesh does not terminate.</summary>
    Tls,

    /// <summary>Datagrams; not proxied.</summary>
    Udp,

    /// <summary>MongoDB.</summary>
    Mongo,

    /// <summary>Redis.</summary>
    Redis,

    /// <summary>MySQL.</summary>
    MySql,
}

/// <summary>How a port's protocol is chosen and what follows from it.</summary>
public static class Protocols
{
    /// <summary>Server-speaks-first ports that are plain TCP when nothing is declared: SMTP, DNS, MySQL, MongoDB.</summary>
    private static bool IsServerFirstPort(int port) => port is 25 or 53 or 3306 or 27017;

    /// <summary>The protocol that a word stands for; case does not matter.</summary>
    public static Protocol Parse(string word) => word.ToLowerInvariant() switch
    {
        "tcp" => Protocol.Tcp,
        "udp" => Protocol.Udp,
        "grpc" => Protocol.Grpc,
        "grpc-web" => Protocol.GrpcWeb,
        "http" => Protocol.Http,
        "http_proxy" => Protocol.HttpProxy,
        "http2" => Protocol.Http2,
        "https" => Protocol.Https,
        "tls" => Protocol.Tls,
        "mongo" => Protocol.Mongo,
        "redis" => Protocol.Redis,
        "mysql" => Protocol.MySql,
        "hbone" => Protocol.Hbone,
        _ => Protocol.Unsupported,
    };

    /// <summary>The protocol of a Kubernetes port: UDP as it is, then appProtocol, then the name's prefix, then the well-known
    /// numbers.</summary>
    /// <param name="port">Service port number.</param>
    /// <param name="name">Port name, <c>protocol[-suffix]</c>.</param>
    /// <param name="transport">Kubernetes transport protocol: TCP, UDP, SCTP.</param>
    /// <param name="appProtocol">Kubernetes appProtocol, or null.</param>
    public static Protocol OfKubernetesPort(int port, string name, string transport, string? appProtocol)
    {
        if (transport == "UDP") return Protocol.Udp;
        if (!string.IsNullOrEmpty(appProtocol))
        {
            var declared = appProtocol switch
            {
                "kubernetes.io/h2c" => Protocol.Http2,
                "kubernetes.io/ws" => Protocol.Http,
                "kubernetes.io/wss" => Protocol.Https,
                _ => Parse(appProtocol),
            };
            // An appProtocol that says nothing to a mesh is the same as none at all, but it does hide the name.
            if (declared != Protocol.Unsupported) return declared;
            return IsServerFirstPort(port) ? Protocol.Tcp : Protocol.Unsupported;
        }
        return OfPortName(name, port);
    }

    private static Protocol OfPortName(string name, int port)
    {
        // "grpc-web" is itself a name with a dash, so it is looked at before the dash is cut.
        var isGrpcWeb = name.Length >= 8 && name.StartsWith("grpc-web", StringComparison.OrdinalIgnoreCase);
        if (isGrpcWeb) return Protocol.GrpcWeb;
        var dash = name.IndexOf('-');
        var parsed = Parse(dash >= 0 ? name[..dash] : name);
        if (parsed == Protocol.Unsupported && IsServerFirstPort(port)) return Protocol.Tcp;
        return parsed;
    }

    /// <summary>The proxy reads HTTP on it.</summary>
    public static bool IsHttp(this Protocol protocol) =>
        protocol is Protocol.Http or Protocol.Http2 or Protocol.Grpc or Protocol.GrpcWeb or Protocol.HttpProxy or Protocol.Hbone;

    /// <summary>HTTP/2 to the upstream.</summary>
    public static bool IsHttp2(this Protocol protocol) => protocol is Protocol.Http2 or Protocol.Grpc or Protocol.GrpcWeb;

    /// <summary>Bytes for the proxy.</summary>
    public static bool IsTcp(this Protocol protocol) =>
        protocol is Protocol.Tcp or Protocol.Https or Protocol.Tls or Protocol.Mongo or Protocol.Redis or Protocol.MySql;

    /// <summary>TLS that the proxy does not terminate.</summary>
    public static bool IsTls(this Protocol protocol) => protocol is Protocol.Https or Protocol.Tls;

    /// <summary>To be detected from the first bytes.</summary>
    public static bool IsUnsupported(this Protocol protocol) => protocol == Protocol.Unsupported;

    /// <summary>The name that Istio gives it, as in stat names and debug output.</summary>
    public static string Word(this Protocol protocol) => protocol switch
    {
        Protocol.Http => "HTTP",
        Protocol.Http2 => "HTTP2",
        Protocol.Https => "HTTPS",
        Protocol.Grpc => "GRPC",
        Protocol.GrpcWeb => "GRPC-Web",
        Protocol.Hbone => "HBONE",
        Protocol.HttpProxy => "HTTP_PROXY",
        Protocol.Tcp => "TCP",
        Protocol.Tls => "TLS",
        Protocol.Udp => "UDP",
        Protocol.Mongo => "Mongo",
        Protocol.Redis => "Redis",
        Protocol.MySql => "MySQL",
        _ => "UnsupportedProtocol",
    };
}
