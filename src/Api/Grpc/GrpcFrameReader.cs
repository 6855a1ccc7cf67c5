using System.Buffers.Binary;

namespace Lateen.Api.Grpc;

/// <summary>What <see cref="GrpcFrameReader.Read"/> found.</summary>
public enum GrpcFrameResult
{
    /// <summary>A whole message is there.</summary>
    Message,

    /// <summary>All bytes are taken; more are needed.</summary>
    NeedMore,

    /// <summary>The message is longer than allowed: RESOURCE_EXHAUSTED. The reader is of no more use.</summary>
    TooLarge,

    /// <summary>The message is compressed, which was never agreed to, or its flag is none: INTERNAL. The reader is of no more
    /// use.</summary>
    Compressed,
}

/// <summary>Cuts a stream of bytes into messages. Bytes come in any portions; a message that lies whole in one portion is not
/// copied.</summary>
/// <param name="messageBytesMax">The longest message accepted.</param>
public sealed class GrpcFrameReader(int messageBytesMax)
{
    private byte[] _partial = [];
    private int _count;

    /// <summary>Whether the stream may end here without cutting a message.</summary>
    public bool IsAtBoundary => _count == 0;

    /// <summary>Takes bytes from the front of <paramref name="input"/> until a message is whole or nothing is left.</summary>
    /// <param name="input">What arrived; shortened by what was taken. Call again while it is not empty.</param>
    /// <param name="message">The message's bytes, without prefix; valid until the next call.</param>
    public GrpcFrameResult Read(ref ReadOnlySpan<byte> input, out ReadOnlySpan<byte> message)
    {
        message = default;
        if (_count == 0 && input.Length >= GrpcFrame.PrefixBytes)
        {
            var result = Inspect(input, out var whole);
            if (result != GrpcFrameResult.Message) return result;
            if (input.Length >= whole)
            {
                message = input[GrpcFrame.PrefixBytes..whole];
                input = input[whole..];
                return GrpcFrameResult.Message;
            }
        }

        return ReadPartial(ref input, out message);
    }

    private GrpcFrameResult ReadPartial(ref ReadOnlySpan<byte> input, out ReadOnlySpan<byte> message)
    {
        message = default;
        Take(ref input, GrpcFrame.PrefixBytes);
        if (_count < GrpcFrame.PrefixBytes) return GrpcFrameResult.NeedMore;
        var result = Inspect(_partial, out var whole);
        if (result != GrpcFrameResult.Message) return result;
        Take(ref input, whole);
        if (_count < whole) return GrpcFrameResult.NeedMore;
        _count = 0;
        message = _partial.AsSpan(GrpcFrame.PrefixBytes, whole - GrpcFrame.PrefixBytes);
        return GrpcFrameResult.Message;
    }

    private GrpcFrameResult Inspect(ReadOnlySpan<byte> prefix, out int whole)
    {
        var length = BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]);
        whole = length > messageBytesMax ? 0 : (int)length + GrpcFrame.PrefixBytes;
        return prefix[0] != 0 ? GrpcFrameResult.Compressed : length > messageBytesMax ? GrpcFrameResult.TooLarge : GrpcFrameResult.Message;
    }

    /// <summary>Moves bytes over until <paramref name="wanted"/> are held. The buffer grows with what arrives, not with what a prefix
    /// promises.</summary>
    private void Take(ref ReadOnlySpan<byte> input, int wanted)
    {
        var taken = Math.Min(Math.Max(wanted - _count, 0), input.Length);
        if (_count + taken > _partial.Length)
            Array.Resize(ref _partial, Math.Max(_count + taken, Math.Min(wanted, Math.Max(256, _partial.Length * 2))));
        input[..taken].CopyTo(_partial.AsSpan(_count));
        _count += taken;
        input = input[taken..];
    }
}
