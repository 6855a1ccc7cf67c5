using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;

namespace Lateen.ControlPlane.Grpc;

/// <summary>What leaves on a connection: one turn at a time, through one borrowed buffer.</summary>
/// <param name="send">Gives bytes to the transport; completes when it has them all.</param>
/// <param name="sendFile">The same with bytes of a file; null when the transport takes none.</param>
/// <param name="fail">Called when the transport takes no more, or the peer asks for more answers than it reads.</param>
#pragma warning disable CA1001 // the semaphore has no handle behind it as it is used here: there is nothing to free, and a late sender must find it whole
internal sealed class Http2Output(Func<ReadOnlyMemory<byte>, ValueTask> send, Func<FramesInFile, ValueTask>? sendFile, Action fail)
#pragma warning restore CA1001
{
    // Rented arrays have sizes that are powers of two; this one is full.
    private const int BufferBytes = 32 << 10;
    private const int WaitingBytesMax = 64 << 10;
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private byte[] _waiting = [];
    private int _waitingBytes;
    private bool _isBroken;

    /// <summary>Queues a small frame and never waits. It precedes all data that is sent later.</summary>
    public void Post(Http2FrameType type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        lock (_gate)
        {
            int after = _waitingBytes + Http2Frames.HeadBytes + payload.Length;
            if (_isBroken || after > WaitingBytesMax)
            {
                Break();
                return;
            }
            if (after > _waiting.Length) Array.Resize(ref _waiting, Math.Max(after, Math.Max(64, _waiting.Length * 2)));
            Http2Frames.WriteHead(_waiting.AsSpan(_waitingBytes), type, flags, stream, payload.Length);
            payload.CopyTo(_waiting.AsSpan(_waitingBytes + Http2Frames.HeadBytes));
            _waitingBytes = after;
        }
        Kick();
    }

    /// <summary>A frame of one number (window, reset).</summary>
    public void Post(Http2FrameType type, int stream, int number)
    {
        Span<byte> payload = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(payload, number);
        Post(type, 0, stream, payload);
    }

    /// <summary>The transport takes bytes out of files.</summary>
    public bool TakesFiles => sendFile is not null;

    /// <summary>Sends the next bytes of a message, which the windows have room for. False when the connection is over.</summary>
    public async ValueTask<bool> SendAsync(int stream, OutgoingMessage message, int bytes)
    {
        await _turn.WaitAsync();
        try
        {
            if (!await FlushAsync()) return false;
            FramesInFile frames = message.TakeFrames(bytes);
            if (frames.Bytes > 0 && !await GivenAsync(sendFile!(frames))) return false;
            return frames.Bytes == bytes || await CopyAsync(stream, message, bytes - frames.Bytes);
        }
        finally
        {
            Leave();
        }
    }

    private async ValueTask<bool> CopyAsync(int stream, OutgoingMessage message, int bytes)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            return await GivenAsync(send(buffer.AsMemory(0, Fill(buffer, stream, message, bytes))));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static int Fill(Span<byte> buffer, int stream, OutgoingMessage message, int bytes)
    {
        int at = 0;
        while (bytes > 0)
        {
            int length = Math.Min(bytes, Http2Frames.PayloadMax);
            Http2Frames.WriteHead(buffer[at..], Http2FrameType.Data, 0, stream, length);
            message.Take(buffer.Slice(at + Http2Frames.HeadBytes, length));
            at += Http2Frames.HeadBytes + length;
            bytes -= length;
        }
        return at;
    }

    /// <summary>Waits until what was queued has left.</summary>
    public async ValueTask DrainAsync()
    {
        await _turn.WaitAsync();
        await FlushAsync();
        Leave();
    }

    private void Kick()
    {
        if (_turn.Wait(0)) _ = RunAsync();
    }

    private async Task RunAsync()
    {
        await FlushAsync();
        Leave();
    }

    // Who posted between the last look and the end of the turn found it taken.
    private void Leave()
    {
        _turn.Release();
        bool more;
        lock (_gate) more = _waitingBytes > 0 && !_isBroken;
        if (more) Kick();
    }

    private async ValueTask<bool> FlushAsync()
    {
        while (true)
        {
            byte[] bytes;
            int count;
            lock (_gate)
            {
                if (_isBroken) return false;
                (bytes, count) = (_waiting, _waitingBytes);
                if (count == 0) return true;
                (_waiting, _waitingBytes) = ([], 0);
            }
            if (!await GivenAsync(send(bytes.AsMemory(0, count)))) return false;
        }
    }

    private async ValueTask<bool> GivenAsync(ValueTask sending)
    {
        try
        {
            await sending;
            return true;
        }
        catch (Exception gone) when (gone is IOException or SocketException or ObjectDisposedException or OperationCanceledException
            or InvalidOperationException)
        {
            lock (_gate) Break();
            return false;
        }
    }

    private void Break()
    {
        if (_isBroken) return;
        _isBroken = true;
        fail();
    }
}
