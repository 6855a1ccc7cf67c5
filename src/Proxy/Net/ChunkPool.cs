using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lateen.Proxy.Net;

/// <summary>A fixed piece of native memory with a filled range; a link of an <see cref="OutputQueue"/>.</summary>
internal sealed unsafe class Chunk
{
    /// <summary>16 KiB: a TLS record, and several responses.</summary>
    public const int Size = 16 * 1024;

    // Most chunks are used at their beginnings alone. With a power of two between them these would all fall on the same few sets of the
    // caches.
    private const int Stagger = 1088;

    private byte* _memory = (byte*)NativeMemory.Alloc(Size + Stagger);

    /// <summary>First byte that has not left.</summary>
    public int Start;

    /// <summary>First free byte.</summary>
    public int End;

    public Chunk? Next;

    ~Chunk() => NativeMemory.Free(_memory);

    /// <summary>Gives the memory back at once. The collector would come late: native memory is no reason for it to run.</summary>
    public void Free()
    {
        NativeMemory.Free(_memory);
        _memory = null;
#pragma warning disable CA1816 // It frees what the finalizer would free; whoever forgets to call it loses nothing, so it is no Dispose.
        GC.SuppressFinalize(this);
#pragma warning restore CA1816
    }

    public byte* Filled => _memory + Start;

    public int Length => End - Start;

    public int Room => Size - End;

    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(new Span<byte>(_memory + End, Room));
        End += bytes.Length;
    }
}

/// <summary>
/// The account of all bytes that wait on a loop to be sent. Where they have a limit, what a single connection may hold shrinks with what is
/// left (dynamic thresholds of shared-memory switches, Choudhury and Hahne 1998): few slow readers get all that is configured, ten thousand
/// of them a piece each. Refused: a share for each connection, which gives the many nothing but what the idle leave.
/// </summary>
public sealed class OutputAccount
{
    // One connection gets at most a sixteenth of what is free: with a hundred of them nine tenths of the limit are in use, and there is
    // room for the next.
    private const int FreeShareShift = 4;
    private const int ReadMin = 4096;

    /// <summary>What all that waits may take, in bytes.</summary>
    public long Max { get; set; } = long.MaxValue;

    /// <summary>Bytes that waiting output takes: whole chunks, and what is held elsewhere.</summary>
    public long Bytes { get; private set; }

    /// <summary>Bytes came or went.</summary>
    public void Add(int bytes) => Bytes += bytes;

    /// <summary>True where a queue holds more than it may.</summary>
    /// <param name="length">What it holds.</param>
    /// <param name="limit">What is configured.</param>
    public bool IsAbove(int length, int limit) => length > limit || length > QueueMax;

    /// <summary>What is read at once: as much as fits the buffer, and less where little may wait. Who has nothing waiting may always
    /// begin.</summary>
    public int ReadMax(int buffer) => (int)Math.Clamp(QueueMax, ReadMin, buffer);

    // What one queue may hold now. Nothing, at the limit: it goes on when it is empty.
    private long QueueMax => Math.Max(0, (Max - Bytes) >> FreeShareShift);
}

/// <summary>One loop's spare chunks.</summary>
internal sealed class ChunkPool(OutputAccount account)
{
    // 512 x 16 KiB = 8 MiB: more than this is waiting only in a burst.
    private const int Kept = 512;

    private Chunk? _spare;
    private int _count;

    public Chunk Rent()
    {
        account.Add(Chunk.Size);
        Chunk? chunk = _spare;
        if (chunk is null)
            return new Chunk();
        _spare = chunk.Next;
        _count--;
        chunk.Next = null;
        return chunk;
    }

    public void Return(Chunk chunk)
    {
        account.Add(-Chunk.Size);
        if (_count == Kept)
        {
            chunk.Free();
            return;
        }
        chunk.Start = chunk.End = 0;
        chunk.Next = _spare;
        _spare = chunk;
        _count++;
    }
}

/// <summary>Bytes that wait, in order, in rented chunks. Empty it holds none. A mutable struct: keep it in a field, pass it by
/// ref.</summary>
internal struct OutputQueue
{
    private Chunk? _head;
    private Chunk? _tail;

    /// <summary>Bytes waiting.</summary>
    public int Length { get; private set; }

    /// <summary>The oldest chunk.</summary>
    public readonly Chunk? Head => _head;

    public void Append(ReadOnlySpan<byte> bytes, ChunkPool pool)
    {
        Length += bytes.Length;
        while (!bytes.IsEmpty)
        {
            Chunk chunk = _tail is { Room: > 0 } ? _tail : Grow(pool);
            int n = Math.Min(chunk.Room, bytes.Length);
            chunk.Append(bytes[..n]);
            bytes = bytes[n..];
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Chunk Grow(ChunkPool pool)
    {
        Chunk chunk = pool.Rent();
        if (_tail is null)
            _head = chunk;
        else
            _tail.Next = chunk;
        return _tail = chunk;
    }

    /// <summary>The first <paramref name="count"/> bytes have left.</summary>
    public void Consume(int count, ChunkPool pool)
    {
        Length -= count;
        while (_head is { } chunk && (count > 0 || chunk.Length == 0))
        {
            int n = Math.Min(count, chunk.Length);
            chunk.Start += n;
            count -= n;
            if (chunk.Length != 0)
                return;
            _head = chunk.Next;
            if (_head is null)
                _tail = null;
            pool.Return(chunk);
        }
    }

    /// <summary>Forgets everything.</summary>
    public void Clear(ChunkPool pool) => Consume(Length, pool);
}
