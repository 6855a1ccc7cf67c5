using System.Net;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Ads;

/// <summary>What all gRPC calls over Kestrel have in common.</summary>
internal static class GrpcCalls
{
    /// <summary>address:port of the other side; "unix" for a socket of this machine.</summary>
    public static string PeerOf(HttpContext context) =>
        context.Connection.RemoteIpAddress is { } address ? new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, context.Connection.RemotePort).ToString() : "unix";

    /// <summary>Ends a call before it began.</summary>
    public static Task RefuseAsync(HttpContext context, GrpcEnding ending)
    {
        context.Response.ContentType = "application/grpc";
        ending.WriteTo(context.Response);
        return context.Response.CompleteAsync();
    }
}
