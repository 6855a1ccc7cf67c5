using Lateen.Api.Grpc;

namespace Lateen.ControlPlane.Grpc;

/// <summary>How a gRPC call ended: its status, and a message for a person.</summary>
public readonly record struct GrpcEnding(GrpcStatus Status, string Message)
{
    /// <summary>The call ended well.</summary>
    public static GrpcEnding Ok { get; } = new(GrpcStatus.Ok, "");
}
