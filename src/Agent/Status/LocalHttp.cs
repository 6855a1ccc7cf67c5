// Status: what the agent tells those who look after the workload: is it ready, what are its metrics, and the requests to drain or to end.
// HTTP/1.1 of the smallest kind, on blocking threads, a connection a request: a kubelet, a Prometheus and a person ask here now and then.
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lateen.Agent.Status;

/// <summary>An answer.</summary>
public readonly record struct LocalAnswer(int Status, string ContentType, string Body);

/// <summary>Asks services on this machine: the proxy's admin pages, its metrics, the application's.</summary>
public static class LocalHttp
{
    private const int BodyBytesMax = 10 << 20; // as Istio bounds what it merges

    /// <summary>One request on a connection of its own; null where nothing answered within <paramref name="timeoutMs"/>.</summary>
    public static LocalAnswer? Ask(string method, string address, int port, string path, int timeoutMs = 1000)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
            {
                ReceiveTimeout = timeoutMs,
                SendTimeout = timeoutMs,
            };
            socket.Connect(IPAddress.Parse(address), port);
            socket.Send(Encoding.ASCII.GetBytes(
                $"{method} {path} HTTP/1.1\r\nhost: {address}:{port}\r\nconnection: "
                + $"close\r\n{(method == "POST" ? "content-length: 0\r\n" : "")}\r\n"));
            var bytes = new MemoryStream();
            byte[] buffer = new byte[16 << 10];
            for (int count; bytes.Length < BodyBytesMax && (count = socket.Receive(buffer)) > 0;) bytes.Write(buffer, 0, count);
            return Parse(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
        }
        catch (Exception silent) when (silent is SocketException or FormatException)
        {
            return null;
        }
    }

    private static LocalAnswer? Parse(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0) return null;
        string[] head = Encoding.Latin1.GetString(bytes[..end]).Split("\r\n");
        string Header(string name) =>
            head.FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim() ?? "";
        ReadOnlySpan<byte> body = bytes[(end + 4)..];
        string text = Header("transfer-encoding") == "chunked" ? Unchunked(body) : Encoding.UTF8.GetString(body);
        return head[0].Split(' ') is [_, var status, ..]
            ? new LocalAnswer(int.Parse(status, CultureInfo.InvariantCulture), Header("content-type"), text) : null;
    }

    private static string Unchunked(ReadOnlySpan<byte> body)
    {
        var text = new MemoryStream();
        while (body.IndexOf("\r\n"u8) is > 0 and var line)
        {
            int length = int.Parse(Encoding.ASCII.GetString(body[..line]).Split(';')[0], NumberStyles.HexNumber,
                CultureInfo.InvariantCulture);
            if (length == 0 || length > body.Length - line - 2) break;
            text.Write(body.Slice(line + 2, length));
            body = body[Math.Min(body.Length, line + 2 + length + 2)..];
        }
        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }
}
