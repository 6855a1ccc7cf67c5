using System.Buffers;
using System.Buffers.Binary;
using Lateen.Api.Grpc;

namespace Lateen.ControlPlane.Grpc;

/// <summary>A message in borrowed memory; whoever has read it gives it back.</summary>
internal readonly record struct BorrowedMessage(byte[] Memory, int Length)
{
    /// <summary>Its bytes.</summary>
    public ReadOnlySpan<byte> Bytes => Memory.AsSpan(0, Length);

    /// <summary>Gives the memory back.</summary>
    public void Return() => ArrayPool<byte>.Shared.Return(Memory);
}

/// <summary>Cuts what arrives on a call into messages. Between two messages it holds no memory: a proxy that told all it has, once, keeps none of it here.</summary>
/// <param name="messageBytesMax">The longest message accepted.</param>
internal sealed class IncomingMessages(int messageBytesMax)
{
    // What a prefix promises is not believed: memory grows with what has arrived.
    private const int FirstBytes = 16 << 10;
    private readonly byte[] prefix = new byte[GrpcFrame.PrefixBytes];
    private byte[]? memory;
    private int prefixed, length, filled;

    /// <summary>Whether the stream may end here without cutting a message.</summary>
    public bool IsAtBoundary => prefixed == 0;

    /// <summary>Takes bytes from the front of <paramref name="input"/> until a message is whole or nothing is left.</summary>
    public GrpcFrameResult Read(ref ReadOnlySpan<byte> input, out BorrowedMessage message)
    {
        message = default;
        if (prefixed < prefix.Length)
        {
            int now = Math.Min(prefix.Length - prefixed, input.Length);
            input[..now].CopyTo(prefix.AsSpan(prefixed));
            input = input[now..];
            prefixed += now;
            if (prefixed < prefix.Length) return GrpcFrameResult.NeedMore;
            uint promised = BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1));
            if (prefix[0] != 0) return GrpcFrameResult.Compressed;
            if (promised > messageBytesMax) return GrpcFrameResult.TooLarge;
            (length, filled) = ((int)promised, 0);
        }
        Take(ref input);
        if (filled < length) return GrpcFrameResult.NeedMore;
        message = new BorrowedMessage(memory ?? ArrayPool<byte>.Shared.Rent(1), length);
        (memory, prefixed) = (null, 0);
        return GrpcFrameResult.Message;
    }

    /// <summary>Nothing more comes.</summary>
    public void Drop()
    {
        if (memory is not null) ArrayPool<byte>.Shared.Return(memory);
        memory = null;
    }

    private void Take(ref ReadOnlySpan<byte> input)
    {
        int now = Math.Min(length - filled, input.Length);
        if (now == 0) return;
        if (memory is null || memory.Length < filled + now)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(filled + now, Math.Min(length, Math.Max(FirstBytes, filled * 2))));
            memory?.AsSpan(0, filled).CopyTo(larger);
            Drop();
            memory = larger;
        }
        input[..now].CopyTo(memory.AsSpan(filled));
        input = input[now..];
        filled += now;
    }
}
