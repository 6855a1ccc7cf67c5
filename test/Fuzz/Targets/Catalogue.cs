using Lateen.Test.Fuzz.Frame;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>Every parser that bytes from outside reach.</summary>
internal static class Catalogue
{
    public static IEnumerable<FuzzTarget> All() =>
    [
        new Http1ServerTarget(),
        new Http1ClientTarget(),
        new Http2ServerTarget(),
        new Http2ClientTarget(),
        new HpackTarget(),
        new ClientHelloTarget(),
        new ProxyHeaderTarget(),
        new BootstrapTarget(),
        new DiscoveryTarget(),
        new TokenTarget(),
        new KeySetTarget(),
        new ExpressionTarget(),
        new FormatTarget(),
        new WholeProxyTarget("forward-h1", http2: false),
        new WholeProxyTarget("forward-h2", http2: true),
    ];
}
