// Ads: discovery streams. A stream is two tasks: one reads requests and posts them to the control loop, one asks the loop for the next
// response, sends it and waits until the peer has taken it. Nothing is queued per stream but that one response, whose bytes are shared, so
// a slow proxy costs next to nothing and delays nobody; what changes meanwhile is merged in its session. Sessions, versions and nonces
// belong to Pilot/Push, HTTP/2 to Grpc.
//
// Refused: Grpc.AspNetCore (a second pipeline with its own buffers, for one service of two methods); a queue of rendered responses a stream
// (unbounded when bounded badly, stale when bounded well).
using Lateen.Api.Grpc;
using Lateen.Pilot.Push;

namespace Lateen.ControlPlane.Ads;

/// <summary>Responses as gRPC messages.</summary>
public static class GrpcFrames
{
    /// <summary>One response with its prefix as one array.</summary>
    public static byte[] ToArray(AdsResponse response)
    {
        byte[] bytes = [.. stackalloc byte[GrpcFrame.PrefixBytes], .. response.Bytes()];
        GrpcFrame.WritePrefix(bytes, response.Size);
        return bytes;
    }
}
