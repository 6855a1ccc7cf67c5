using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lateen.Proxy.Net;

/// <summary>A fixed piece of native memory with a filled range; a link of an <see cref="OutputQueue"/>.</summary>
internal sealed unsafe class Chunk
{
    /// <summary>16 KiB: a TLS record, and several responses.</summary>
    public const int Size = 16 * 1024;

    private readonly byte* _memory = (byte*)NativeMemory.Alloc(Size);

    /// <summary>First byte that has not left.</summary>
    public int Start;

    /// <summary>First free byte.</summary>
    public int End;

    public Chunk? Next;

    ~Chunk() => NativeMemory.Free(_memory);

    public byte* Filled => _memory + Start;

    public int Length => End - Start;

    public int Free => Size - End;

    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(new Span<byte>(_memory + End, Free));
        End += bytes.Length;
    }
}

/// <summary>One loop's spare chunks. What is above the bound goes back to the system when the collector finds it.</summary>
internal sealed class ChunkPool
{
    // 512 x 16 KiB = 8 MiB: more than this is waiting only in a burst.
    private const int Kept = 512;

    private Chunk? _spare;
    private int _count;

    public Chunk Rent()
    {
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
        if (_count == Kept)
            return;
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
            Chunk chunk = _tail is { Free: > 0 } ? _tail : Grow(pool);
            int n = Math.Min(chunk.Free, bytes.Length);
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
