using System.Buffers;
using System.Buffers.Binary;
using Lateen.Api.Grpc;

namespace Lateen.ControlPlane.Grpc;

/// <summary>A message in borrowed memory; whoever has read it gives it back, once.</summary>
internal readonly record struct BorrowedMessage(byte[] Memory, int Length, MessageRoom.Place? Place) : IDisposable
{
    /// <summary>Its bytes.</summary>
    public ReadOnlyMemory<byte> Bytes => Memory.AsMemory(0, Length);

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(Memory);
        Place?.Leave();
    }
}

/// <summary>Cuts what arrives on a call into messages. Between two messages it holds no memory: a proxy that told all it has, once, keeps
/// none of it here.</summary>
/// <param name="messageBytesMax">The longest message accepted.</param>
internal sealed class IncomingMessages(int messageBytesMax)
{
    // What a prefix promises is not believed: memory grows with what has arrived.
    private const int FirstBytes = 16 << 10;
    private readonly byte[] _prefix = new byte[GrpcFrame.PrefixBytes];
    private byte[]? _memory;
    private MessageRoom.Place? _place;
    private int _prefixed, _length, _filled;

    /// <summary>Whether the stream may end here without cutting a message.</summary>
    public bool IsAtBoundary => _prefixed == 0;

    /// <summary>A long message has begun, for which there is no room yet.</summary>
    public bool NeedsRoom => _place is null && _prefixed == _prefix.Length && _length > FirstBytes;

    /// <summary>Waits for room for the message that has begun.</summary>
    public async ValueTask EnterAsync(MessageRoom room, CancellationToken cancel) => _place = await room.EnterAsync(cancel);

    /// <summary>Takes bytes from the front of <paramref name="input"/> until a message is whole or nothing is left.</summary>
    public GrpcFrameResult Read(ref ReadOnlySpan<byte> input, out BorrowedMessage message)
    {
        message = default;
        if (_prefixed < _prefix.Length)
        {
            int now = Math.Min(_prefix.Length - _prefixed, input.Length);
            input[..now].CopyTo(_prefix.AsSpan(_prefixed));
            input = input[now..];
            _prefixed += now;
            if (_prefixed < _prefix.Length) return GrpcFrameResult.NeedMore;
            uint promised = BinaryPrimitives.ReadUInt32BigEndian(_prefix.AsSpan(1));
            if (_prefix[0] != 0) return GrpcFrameResult.Compressed;
            if (promised > messageBytesMax) return GrpcFrameResult.TooLarge;
            (_length, _filled) = ((int)promised, 0);
        }
        Take(ref input);
        if (_filled < _length) return GrpcFrameResult.NeedMore;
        message = new BorrowedMessage(_memory ?? ArrayPool<byte>.Shared.Rent(1), _length, Interlocked.Exchange(ref _place, null));
        (_memory, _prefixed) = (null, 0);
        return GrpcFrameResult.Message;
    }

    /// <summary>Nothing more comes.</summary>
    public void Drop()
    {
        GiveUpRoom();
        if (_memory is not null) ArrayPool<byte>.Shared.Return(_memory);
        _memory = null;
    }

    /// <summary>Nothing more comes; somebody may be reading still, from whom the memory is not taken.</summary>
    public void GiveUpRoom() => Interlocked.Exchange(ref _place, null)?.Leave();

    private void Take(ref ReadOnlySpan<byte> input)
    {
        int now = Math.Min(_length - _filled, input.Length);
        if (now == 0) return;
        if (_memory is null || _memory.Length < _filled + now)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_filled + now, Math.Min(_length, Math.Max(FirstBytes, _filled * 2))));
            _memory?.AsSpan(0, _filled).CopyTo(larger);
            if (_memory is not null) ArrayPool<byte>.Shared.Return(_memory);
            _memory = larger;
        }
        input[..now].CopyTo(_memory.AsSpan(_filled));
        input = input[now..];
        _filled += now;
    }
}
