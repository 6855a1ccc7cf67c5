using System.Globalization;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Lua.Calls;

/// <summary>Stream, connection, TLS, virtual host and route as scripts may ask about them.</summary>
internal static class FactCalls
{
    public static readonly (string, Func<LuaFrame, int>)[] All =
    [
        Info("protocol",
            f => f.Answer(f.Run.Exchange.Stream.Version switch
            {
                HttpVersion.Http10 => "HTTP/1.0",
                HttpVersion.Http11 => "HTTP/1.1",
                _ => "HTTP/2",
            })),
        Info("routeName", f => f.Answer(Fresh(f).RouteName)),
        Info("virtualClusterName", f => f.Answer(VirtualCluster(f))),
        Info("downstreamDirectLocalAddress", f => f.Answer(f.Run.Exchange.Facts.DownstreamDirectLocal.ToString())),
        Info("downstreamLocalAddress", f => f.Answer(f.Run.Exchange.Facts.DownstreamLocal.ToString())),
        Info("downstreamDirectRemoteAddress", f => f.Answer(f.Run.Exchange.Facts.DownstreamDirectRemote.ToString())),
        Info("downstreamRemoteAddress", f => f.Answer(f.Run.Exchange.Facts.DownstreamRemote.ToString())),
        Info("dynamicMetadata", f => f.Answer(LuaKind.DynamicMetadata)),
        Info("dynamicTypedMetadata", f => f.AnswerNil()),
        Info("filterState", f => f.Answer(LuaKind.FilterState)),
        Info("downstreamSslConnection", SslOf),
        Info("requestedServerName", f => f.Answer(f.Run.Exchange.Facts.RequestedServerName)),
        Info("drainConnectionUponCompletion", Drain),
        Of(LuaKind.ConnectionStreamInfo, "dynamicMetadata", f => f.Answer(LuaKind.DynamicMetadata, 1)),
        Of(LuaKind.ConnectionStreamInfo, "dynamicTypedMetadata", f => f.AnswerNil()),
        Of(LuaKind.Connection, "ssl", SslOf),
        Of(LuaKind.VirtualHost, "metadata", f => f.Answer(LuaKind.Metadata, MetadataCalls.OfVirtualHost)),
        Of(LuaKind.Route, "metadata", f => f.Answer(LuaKind.Metadata, MetadataCalls.OfRouteAlone)),
        Of(LuaKind.PublicKey, "get", SignatureCalls.GetKey),
        Of(LuaKind.ParsedName, "commonName", f => f.Answer(NameParts(f, "CN").FirstOrDefault() ?? "")),
        Of(LuaKind.ParsedName, "organizationName", f => f.Answer(NameParts(f, "O"))),
        Ssl("peerCertificatePresented", (f, t) => f.Answer(t.PeerPresented)),
        Ssl("peerCertificateValidated", (f, t) => f.Answer(t.PeerValidated)),
        Ssl("uriSanLocalCertificate", (f, t) => f.Answer(t.LocalUris)),
        Ssl("sha256PeerCertificateDigest", (f, t) => f.Answer(t.PeerSha256)),
        Ssl("serialNumberPeerCertificate", (f, t) => f.Answer(t.PeerSerial)),
        Ssl("issuerPeerCertificate", (f, t) => f.Answer(t.PeerIssuer)),
        Ssl("subjectPeerCertificate", (f, t) => f.Answer(t.PeerSubject)),
        Ssl("parsedSubjectPeerCertificate", (f, t) => t.PeerPresented ? f.Answer(LuaKind.ParsedName) : f.AnswerNil()),
        Ssl("uriSanPeerCertificate", (f, t) => f.Answer(t.PeerUris)),
        Ssl("subjectLocalCertificate", (f, t) => f.Answer(t.LocalSubject)),
        Ssl("urlEncodedPemEncodedPeerCertificate", (f, t) => f.Answer(Uri.EscapeDataString(t.PeerPem))),
        Ssl("urlEncodedPemEncodedPeerCertificateChain", (f, t) => f.Answer(Uri.EscapeDataString(t.PeerChainPem))),
        Ssl("dnsSansPeerCertificate", (f, t) => f.Answer(t.PeerDnsNames)),
        Ssl("dnsSansLocalCertificate", (f, t) => f.Answer(t.LocalDnsNames)),
        Ssl("oidsPeerCertificate", (f, _) => f.Fail("oidsPeerCertificate() is not served")),
        Ssl("oidsLocalCertificate", (f, _) => f.Fail("oidsLocalCertificate() is not served")),
        Ssl("validFromPeerCertificate", (f, t) => f.Answer((double)t.PeerValidFrom)),
        Ssl("expirationPeerCertificate", (f, t) => f.Answer((double)t.PeerValidTo)),
        Ssl("sessionId", (f, t) => f.Answer(t.SessionId)),
        Ssl("ciphersuiteId", (f, t) => f.Answer(CipherId(t.Cipher))),
        Ssl("ciphersuiteString", (f, t) => f.Answer(t.Cipher)),
        Ssl("tlsVersion", (f, t) => f.Answer(t.Version)),
    ];

    private static (string, Func<LuaFrame, int>) Of(LuaKind kind, string name, Func<LuaFrame, int> call) =>
        (LuaObjects.NameOf(kind) + "_" + name, f => f.Self(kind, out _) ? call(f) : f.DeadSelf());

    private static (string, Func<LuaFrame, int>) Info(string name, Func<LuaFrame, int> call) => Of(LuaKind.StreamInfo, name, call);

    private static (string, Func<LuaFrame, int>) Ssl(string name, Func<LuaFrame, TlsFacts, int> call) =>
        Of(LuaKind.Ssl, name, f => f.Run.Exchange.Connection.Context.Tls is { } tls ? call(f, tls) : f.DeadSelf());

    private static ExchangeFacts Fresh(LuaFrame f)
    {
        f.Run.RefreshRoute();
        return f.Run.Exchange.Facts;
    }

    private static string VirtualCluster(LuaFrame f)
    {
        f.Run.RefreshRoute();
        Exchange exchange = f.Run.Exchange;
        foreach ((string name, IReadOnlyList<HeaderMatch> headers, _) in exchange.Decision.Host?.VirtualClusters ?? [])
        {
            if (headers.All(h => h.Matches(exchange.RequestHead)))
                return name;
        }
        return "";
    }

    private static int SslOf(LuaFrame f) => f.Run.Exchange.Connection.Context.Tls is null ? f.AnswerNil() : f.Answer(LuaKind.Ssl);

    private static int Drain(LuaFrame f)
    {
        f.Run.Exchange.Stream.CloseAfterResponse();
        return f.Nothing();
    }

    // A name as RFC 2253 writes it: parts divided by commas or plus signs, each kind=value, with backslashes before what is meant itself.
    private static List<string> NameParts(LuaFrame f, string kind)
    {
        var found = new List<string>();
        string text = f.Run.Exchange.Connection.Context.Tls?.PeerSubject ?? "";
        var part = new System.Text.StringBuilder();
        for (int i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && text[i] is not (',' or '+'))
            {
                if (text[i] == '\\' && i + 1 < text.Length)
                    i++;
                part.Append(text[i]);
                continue;
            }
            string one = part.ToString();
            part.Clear();
            if (one.StartsWith(kind + "=", StringComparison.Ordinal))
                found.Add(one[(kind.Length + 1)..]);
        }
        return found;
    }

    // IANA's numbers of the suites that libssl negotiates here by default.
    private static string CipherId(string cipher) => cipher switch
    {
        "TLS_AES_128_GCM_SHA256" => Hex(0x1301),
        "TLS_AES_256_GCM_SHA384" => Hex(0x1302),
        "TLS_CHACHA20_POLY1305_SHA256" => Hex(0x1303),
        "ECDHE-ECDSA-AES128-GCM-SHA256" => Hex(0xc02b),
        "ECDHE-ECDSA-AES256-GCM-SHA384" => Hex(0xc02c),
        "ECDHE-RSA-AES128-GCM-SHA256" => Hex(0xc02f),
        "ECDHE-RSA-AES256-GCM-SHA384" => Hex(0xc030),
        "ECDHE-ECDSA-CHACHA20-POLY1305" => Hex(0xcca9),
        "ECDHE-RSA-CHACHA20-POLY1305" => Hex(0xcca8),
        "AES128-GCM-SHA256" => Hex(0x009c),
        "AES256-GCM-SHA384" => Hex(0x009d),
        "AES128-SHA" => Hex(0x002f),
        "AES256-SHA" => Hex(0x0035),
        _ => "0xffff",
    };

    private static string Hex(int id) => "0x" + id.ToString("x4", CultureInfo.InvariantCulture);
}
