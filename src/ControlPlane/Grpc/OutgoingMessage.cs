using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.Pilot.Push;

namespace Lateen.ControlPlane.Grpc;

/// <summary>A gRPC message on its way out, and how far it is. What it is made of is shared with everybody who gets the same.</summary>
internal sealed class OutgoingMessage
{
    private readonly byte[] head;
    private readonly AdsResponse? response;
    private int piece = -1, from;

    /// <summary>A response, in its pieces.</summary>
    public OutgoingMessage(AdsResponse response)
    {
        this.response = response;
        head = new byte[GrpcFrame.PrefixBytes];
        GrpcFrame.WritePrefix(head, response.Size);
        Left = GrpcFrame.PrefixBytes + response.Size;
    }

    /// <summary>Any other message.</summary>
    public OutgoingMessage(IMessage message)
    {
        head = GrpcFrame.ToArray(message);
        Left = head.Length;
    }

    /// <summary>Bytes that have not left.</summary>
    public int Left { get; private set; }

    /// <summary>Fills <paramref name="to"/> with the next bytes; there must be as many left.</summary>
    public void Take(Span<byte> to)
    {
        Left -= to.Length;
        while (!to.IsEmpty)
        {
            ReadOnlySpan<byte> bytes = piece < 0 ? head : response!.Piece(piece);
            int now = Math.Min(bytes.Length - from, to.Length);
            bytes.Slice(from, now).CopyTo(to);
            to = to[now..];
            from += now;
            if (from == bytes.Length) (piece, from) = (piece + 1, 0);
        }
    }
}
