namespace Lateen.Proxy.Formats;

/// <summary>Operators about certificates and TLS sessions of either side.</summary>
internal static partial class Operators
{
    private static Func<IStreamFacts, ByteBuffer, bool>? Tls(OperatorText op)
    {
        if (op.Name.StartsWith("DOWNSTREAM_", StringComparison.Ordinal))
            return Of(op.Name["DOWNSTREAM_".Length..], static f => f.DownstreamTls);
        if (op.Name == "UPSTREAM_SERVER_NAME")
            return static (f, b) => false;
        return op.Name.StartsWith("UPSTREAM_", StringComparison.Ordinal)
            ? Of(op.Name["UPSTREAM_".Length..], static f => f.UpstreamTls) : null;
    }

    private static Func<IStreamFacts, ByteBuffer, bool>? Of(string name, Func<IStreamFacts, TlsFacts?> side)
    {
        Func<TlsFacts, string>? value = name switch
        {
            "PEER_URI_SAN" => static t => string.Join(',', t.PeerUris),
            "PEER_DNS_SAN" => static t => string.Join(',', t.PeerDnsNames),
            "PEER_IP_SAN" => static t => string.Join(',', t.PeerIps),
            "LOCAL_URI_SAN" => static t => string.Join(',', t.LocalUris),
            "LOCAL_DNS_SAN" => static t => string.Join(',', t.LocalDnsNames),
            "LOCAL_IP_SAN" => static t => string.Join(',', t.LocalIps),
            "PEER_EMAIL_SAN" => static t => string.Join(',', t.PeerEmails),
            "LOCAL_EMAIL_SAN" => static t => string.Join(',', t.LocalEmails),
            "PEER_OTHERNAME_SAN" or "LOCAL_OTHERNAME_SAN" => static _ => "",
            "PEER_SUBJECT" => static t => t.PeerSubject,
            "LOCAL_SUBJECT" => static t => t.LocalSubject,
            "PEER_ISSUER" => static t => t.PeerIssuer,
            "PEER_SERIAL" => static t => t.PeerSerial,
            "PEER_FINGERPRINT_256" => static t => t.PeerSha256,
            "PEER_FINGERPRINT_1" => static t => t.PeerSha1,
            "PEER_CERT" => static t => Uri.EscapeDataString(t.PeerPem),
            "PEER_CHAIN_FINGERPRINTS_256" => static t => string.Join(',', t.PeerChainSha256),
            "PEER_CHAIN_FINGERPRINTS_1" => static t => string.Join(',', t.PeerChainSha1),
            "PEER_CHAIN_SERIALS" => static t => string.Join(',', t.PeerChainSerials),
            "PEER_ISSUER_FINGERPRINT_256" or "PEER_ISSUER_SERIAL" or "TLS_GROUP" => static _ => "",
            "TLS_VERSION" => static t => t.Version,
            "TLS_CIPHER" => static t => t.Cipher,
            "TLS_SESSION_ID" => static t => t.SessionId,
            _ => null,
        };
        return value is null ? null : (f, b) => side(f) is { } tls && Put(b, value(tls));
    }
}
