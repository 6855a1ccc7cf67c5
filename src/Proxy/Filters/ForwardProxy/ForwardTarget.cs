// ForwardProxy: requests go where they themselves say (dynamic forward proxy): a filter waits until the name is resolved, the cluster of
// that kind then has a host for it. Names are cached by worker (Clusters/Resolution/NameCache); nothing here decides which names are
// allowed, routes and policies do.
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.ForwardProxy;

/// <summary>Where a request wants to go.</summary>
public static class ForwardTarget
{
    /// <summary>Filter state that names the host in place of the authority.</summary>
    public const string HostKey = "envoy.upstream.dynamic_host";

    /// <summary>Filter state that gives the port.</summary>
    public const string PortKey = "envoy.upstream.dynamic_port";

    /// <summary>The name and port of a request; an empty name where it has none.</summary>
    public static (string Name, int Port) Of(Exchange exchange, bool secure)
    {
        int fallback = Port(exchange.FilterState(PortKey) as string, secure ? 443 : 80);
        if (exchange.FilterState(HostKey) is string { Length: > 0 } named)
            return (named, fallback);
        ReadOnlySpan<byte> host = exchange.RequestHead[KnownHeader.Authority];
        int colon = Authority.PortColon(host);
        string name = System.Text.Encoding.Latin1.GetString(colon < 0 ? host : host[..colon]);
        return (name, colon < 0 ? fallback : Port(System.Text.Encoding.Latin1.GetString(host[(colon + 1)..]), fallback));
    }

    /// <summary>A port written as text; another one where it is none.</summary>
    public static int Port(string? text, int otherwise) => ushort.TryParse(text, out ushort port) && port > 0 ? port : otherwise;
}
