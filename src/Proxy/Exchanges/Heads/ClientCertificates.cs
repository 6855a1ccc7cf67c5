using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Exchanges.Heads;

/// <summary>x-forwarded-client-cert: what the proxy says about the client's certificate, and whether it passes on what others
/// said.</summary>
internal static class ClientCertificates
{
    /// <summary>Removes, keeps, appends or sets the header as configured.</summary>
    public static void Write(Exchange exchange)
    {
        HttpOptions options = exchange.Options;
        HeaderMap head = exchange.RequestHead;
        if (options.ClientCert == ClientCertMode.AlwaysForwardOnly)
            return;
        TlsFacts? tls = exchange.Connection.Context.Tls;
        bool mutual = tls is { PeerPresented: true };
        if (!mutual || options.ClientCert == ClientCertMode.Sanitize)
        {
            head.Remove(KnownHeader.XForwardedClientCert);
            return;
        }
        if (options.ClientCert == ClientCertMode.ForwardOnly)
            return;
        ByteBuffer text = exchange.Connection.Scratch;
        text.Clear();
        if (options.ClientCert == ClientCertMode.AppendForward
            && head.TryGet(KnownHeader.XForwardedClientCert, out ReadOnlySpan<byte> before) && !before.IsEmpty)
        {
            text.Append(before);
            text.Append((byte)',');
        }
        text.Append(exchange.Connection.CertificateElement(options.ClientCertFields));
        head.Set(KnownHeader.XForwardedClientCert, text.Written);
    }

    /// <summary>The element for one connection: By, Hash, then what is asked for. Made once a connection.</summary>
    public static byte[] Element(TlsFacts tls, ClientCertFields fields)
    {
        var parts = new List<string>();
        foreach (string by in tls.LocalUris)
            parts.Add("By=" + by);
        if (tls.PeerSha256.Length > 0)
            parts.Add("Hash=" + tls.PeerSha256);
        if (fields.HasFlag(ClientCertFields.Cert) && tls.PeerPem.Length > 0)
            parts.Add($"Cert=\"{Encode(tls.PeerPem)}\"");
        if (fields.HasFlag(ClientCertFields.Chain) && tls.PeerChainPem.Length > 0)
            parts.Add($"Chain=\"{Encode(tls.PeerChainPem)}\"");
        if (fields.HasFlag(ClientCertFields.Subject))
            parts.Add($"Subject=\"{tls.PeerSubject}\"");
        if (fields.HasFlag(ClientCertFields.Uri))
            parts.AddRange(tls.PeerUris.Count == 0 ? ["URI="] : tls.PeerUris.Select(u => "URI=" + u));
        if (fields.HasFlag(ClientCertFields.Dns))
            parts.AddRange(tls.PeerDnsNames.Select(d => "DNS=" + d));
        return System.Text.Encoding.Latin1.GetBytes(string.Join(';', parts));
    }

    private static string Encode(string pem) => Uri.EscapeDataString(pem);
}
