using System.Text;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Ads;

/// <summary>The outcome of a gRPC call: a code of google.rpc.Code and a message for a person.</summary>
public readonly record struct GrpcStatus(int Code, string Message)
{
    /// <summary>The call ended well.</summary>
    public static GrpcStatus Ok { get; } = new(0, "");

    /// <summary>The request is wrong whatever the state of the system.</summary>
    public static GrpcStatus InvalidArgument(string message) => new(3, message);

    /// <summary>The peer is known and may not do this.</summary>
    public static GrpcStatus PermissionDenied(string message) => new(7, message);

    /// <summary>A bound was reached.</summary>
    public static GrpcStatus ResourceExhausted(string message) => new(8, message);

    /// <summary>No such service or method.</summary>
    public static GrpcStatus Unimplemented(string message) => new(12, message);

    /// <summary>The peer broke the protocol.</summary>
    public static GrpcStatus Internal(string message) => new(13, message);

    /// <summary>Not now: the peer tries again after a pause.</summary>
    public static GrpcStatus Unavailable(string message) => new(14, message);

    /// <summary>The peer did not prove who it is.</summary>
    public static GrpcStatus Unauthenticated(string message) => new(16, message);

    /// <summary>Writes the status into the trailers of <paramref name="response"/> (HTTP/2 trailers-only where nothing was sent).</summary>
    public void WriteTo(HttpResponse response)
    {
        response.AppendTrailer("grpc-status", Code.ToString(System.Globalization.CultureInfo.InvariantCulture));
        if (!string.IsNullOrEmpty(Message)) response.AppendTrailer("grpc-message", PercentEncoded(Message));
    }

    // gRPC over HTTP/2, "Status-Message": bytes outside 0x20..0x7E and the percent sign are percent-encoded UTF-8.
    private static string PercentEncoded(string text)
    {
        var encoded = new StringBuilder(text.Length);
        foreach (byte octet in Encoding.UTF8.GetBytes(text))
        {
            if (octet is >= 0x20 and <= 0x7E and not (byte)'%') encoded.Append((char)octet);
            else encoded.Append('%').Append(octet.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }
        return encoded.ToString();
    }
}
