using System.Globalization;
using Lateen.Api.Grpc;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Ads;

/// <summary>How a gRPC call ended: its status, and a message for a person.</summary>
public readonly record struct GrpcEnding(GrpcStatus Status, string Message)
{
    /// <summary>The call ended well.</summary>
    public static GrpcEnding Ok { get; } = new(GrpcStatus.Ok, "");

    /// <summary>Writes the ending into the trailers of <paramref name="response"/>.</summary>
    public void WriteTo(HttpResponse response)
    {
        response.AppendTrailer("grpc-status", ((int)Status).ToString(CultureInfo.InvariantCulture));
        if (!string.IsNullOrEmpty(Message)) response.AppendTrailer("grpc-message", GrpcMessageText.Encode(Message));
    }
}
