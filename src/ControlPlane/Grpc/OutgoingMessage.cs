using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.Pilot.Push;

namespace Lateen.ControlPlane.Grpc;

/// <summary>A gRPC message on its way out, and how far it is. What it is made of is shared with everybody who gets the same.</summary>
internal sealed class OutgoingMessage
{
    private readonly byte[] _head;
    private readonly AdsResponse? _response;
    private int _piece = -1, _part, _from;

    /// <summary>A response, in its pieces.</summary>
    public OutgoingMessage(AdsResponse response)
    {
        _response = response;
        _head = new byte[GrpcFrame.PrefixBytes];
        GrpcFrame.WritePrefix(_head, response.Size);
        Left = GrpcFrame.PrefixBytes + response.Size;
    }

    /// <summary>Any other message.</summary>
    public OutgoingMessage(IMessage message)
    {
        _head = GrpcFrame.ToArray(message);
        Left = _head.Length;
    }

    /// <summary>Bytes that have not left.</summary>
    public int Left { get; private set; }

    /// <summary>Fills <paramref name="to"/> with the next bytes; there must be as many left.</summary>
    public void Take(Span<byte> to)
    {
        Left -= to.Length;
        while (!to.IsEmpty)
        {
            ReadOnlySpan<byte> bytes = _piece < 0 ? _head : _response!.Part(_piece, _part);
            int now = Math.Min(bytes.Length - _from, to.Length);
            bytes.Slice(_from, now).CopyTo(to);
            to = to[now..];
            _from += now;
            if (_from == bytes.Length) Advance();
        }
    }

    private void Advance()
    {
        _from = 0;
        _part++;
        if (_piece < 0 || _part == _response!.PartsOf(_piece)) (_piece, _part) = (_piece + 1, 0);
    }
}
