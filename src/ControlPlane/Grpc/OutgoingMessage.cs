using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.Pilot.Push;

namespace Lateen.ControlPlane.Grpc;

/// <summary>A gRPC message on its way out, and how far it is. What it is made of is shared with everybody who gets the same.</summary>
internal abstract class OutgoingMessage : IDisposable
{
    /// <summary>Most bytes of it that are copied in one turn.</summary>
    public const int CopiedMax = (32 << 10) - 256;

    /// <summary>Bytes that have not left.</summary>
    public int Left { get; protected set; }

    /// <summary>How many bytes go well together in the next turn, of those that are left.</summary>
    public virtual int Turn => Math.Min(Left, CopiedMax);

    /// <summary>A response on a stream.</summary>
    /// <param name="response">The response.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="sharing">Tells when what is shared is no longer wanted; null where the transport takes no bytes out of files.</param>
    public static OutgoingMessage Of(AdsResponse response, int stream, TimeProvider? sharing) =>
        (sharing is null ? null : SharedMessage.TryOf(response, stream, sharing)) ?? (OutgoingMessage)new PiecedMessage(response);

    /// <summary>Any other message.</summary>
    public static OutgoingMessage Of(IMessage message) => new PiecedMessage(message);

    /// <summary>Fills <paramref name="to"/> with the next bytes; there must be as many left.</summary>
    public abstract void Take(Span<byte> to);

    /// <summary>The next bytes in frames, when they lie in some already: as many whole ones as <paramref name="bytes"/> of the message
    /// fill. Nothing when they have to be copied.</summary>
    public virtual FramesInFile TakeFrames(int bytes) => default;

    /// <summary>It has left, or never will.</summary>
    public abstract void Dispose();

    /// <summary>What stands before the message, and its first bytes.</summary>
    protected static byte[] Head(int size, ReadOnlySpan<byte> first)
    {
        byte[] head = new byte[GrpcFrame.PrefixBytes + first.Length];
        GrpcFrame.WritePrefix(head, size);
        first.CopyTo(head.AsSpan(GrpcFrame.PrefixBytes));
        return head;
    }
}

/// <summary>Whole frames that leave out of a file.</summary>
/// <param name="File">The file.</param>
/// <param name="Offset">Where they begin.</param>
/// <param name="Length">Their bytes, heads included.</param>
/// <param name="Bytes">Bytes of the message in them.</param>
internal readonly record struct FramesInFile(FileStream? File, long Offset, int Length, int Bytes);

/// <summary>A message out of the pieces that it consists of.</summary>
internal sealed class PiecedMessage : OutgoingMessage
{
    private readonly byte[] _head;
    private readonly AdsResponse? _response;
    private int _piece = -1, _part, _from;

    /// <summary>A response, in its pieces.</summary>
    public PiecedMessage(AdsResponse response)
    {
        _response = response;
        _head = Head(response.Size, []);
        Left = _head.Length + response.Size;
    }

    /// <summary>Any other message.</summary>
    public PiecedMessage(IMessage message)
    {
        _head = GrpcFrame.ToArray(message);
        Left = _head.Length;
    }

    /// <inheritdoc/>
    public override void Take(Span<byte> to)
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

    /// <inheritdoc/>
    public override void Dispose()
    {
        // What it is made of is nobody's.
    }

    private void Advance()
    {
        _from = 0;
        _part++;
        if (_piece < 0 || _part == _response!.PartsOf(_piece)) (_piece, _part) = (_piece + 1, 0);
    }
}
