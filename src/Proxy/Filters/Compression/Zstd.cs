using System.Runtime.InteropServices;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Filters.Compression;

/// <summary>A run of bytes and how far it was read or written (zstd.h, ZSTD_inBuffer and ZSTD_outBuffer).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ZstdBuffer
{
    public byte* Bytes;
    public nuint Size, Position;
}

/// <summary>zstd's functions.</summary>
internal static unsafe partial class ZstdNative
{
    public const string Library = "libzstd.so.1";
    public const int Level = 100, Strategy = 107, Checksum = 201, FlushAll = 1, End = 2, SessionOnly = 1;

    public static bool IsInstalled { get; } = NativeLibrary.TryLoad(Library, out _);

    [LibraryImport(Library)] public static partial nint ZSTD_createCCtx();
    [LibraryImport(Library)] public static partial nuint ZSTD_freeCCtx(nint context);
    [LibraryImport(Library)] public static partial nuint ZSTD_CCtx_setParameter(nint context, int parameter, int value);
    [LibraryImport(Library)] public static partial nuint ZSTD_CCtx_reset(nint context, int what);
    [LibraryImport(Library)] public static partial nuint ZSTD_CCtx_loadDictionary(nint context, byte* dictionary, nuint size);
    [LibraryImport(Library)] public static partial nuint ZSTD_compressStream2(nint context, ZstdBuffer* to, ZstdBuffer* from, int end);
    [LibraryImport(Library)] public static partial nint ZSTD_createDCtx();
    [LibraryImport(Library)] public static partial nuint ZSTD_freeDCtx(nint context);
    [LibraryImport(Library)] public static partial nuint ZSTD_DCtx_reset(nint context, int what);
    [LibraryImport(Library)] public static partial nuint ZSTD_DCtx_loadDictionary(nint context, byte* dictionary, nuint size);
    [LibraryImport(Library)] public static partial nuint ZSTD_decompressStream(nint context, ZstdBuffer* to, ZstdBuffer* from);
    [LibraryImport(Library)] public static partial uint ZSTD_isError(nuint code);
}

/// <summary>zstd, towards smaller.</summary>
public sealed unsafe class ZstdCompression : ByteTransform
{
    private readonly nint _context = ZstdNative.ZSTD_createCCtx();

    /// <param name="level">The level.</param>
    /// <param name="checksum">A checksum follows each frame.</param>
    /// <param name="strategy">zstd's strategy; 0 for the level's.</param>
    /// <param name="dictionary">A dictionary; empty for none.</param>
    public ZstdCompression(int level, bool checksum, int strategy, byte[] dictionary)
    {
        ZstdNative.ZSTD_CCtx_setParameter(_context, ZstdNative.Level, level);
        ZstdNative.ZSTD_CCtx_setParameter(_context, ZstdNative.Checksum, checksum ? 1 : 0);
        ZstdNative.ZSTD_CCtx_setParameter(_context, ZstdNative.Strategy, strategy);
        fixed (byte* p = dictionary)
            ZstdNative.ZSTD_CCtx_loadDictionary(_context, p, (nuint)dictionary.Length);
    }

    /// <summary>Frees zstd's state.</summary>
    ~ZstdCompression() => ZstdNative.ZSTD_freeCCtx(_context);

    /// <inheritdoc/>
    public override bool Run(ReadOnlySpan<byte> input, ByteBuffer output, TransformEnd end)
    {
        fixed (byte* p = input)
        {
            var from = new ZstdBuffer { Bytes = p, Size = (nuint)input.Length };
            nuint left;
            do
            {
                Span<byte> room = output.Room(4096);
                fixed (byte* q = room)
                {
                    var to = new ZstdBuffer { Bytes = q, Size = (nuint)room.Length };
                    left = ZstdNative.ZSTD_compressStream2(_context, &to, &from,
                        end == TransformEnd.Finish ? ZstdNative.End : ZstdNative.FlushAll);
                    output.Advance((int)to.Position);
                }
                if (ZstdNative.ZSTD_isError(left) != 0)
                    return false;
            }
            while (left != 0);
        }
        return true;
    }

    /// <inheritdoc/>
    public override void Reset() => ZstdNative.ZSTD_CCtx_reset(_context, ZstdNative.SessionOnly);
}

/// <summary>zstd, back to plain.</summary>
public sealed unsafe class ZstdDecompression : ByteTransform
{
    // Envoy's bound of growth.
    private const long RatioMax = 100;
    private readonly nint _context = ZstdNative.ZSTD_createDCtx();
    private long _in, _out;
    private bool _broken;

    /// <param name="dictionary">A dictionary; empty for none.</param>
    public ZstdDecompression(byte[] dictionary)
    {
        fixed (byte* p = dictionary)
            ZstdNative.ZSTD_DCtx_loadDictionary(_context, p, (nuint)dictionary.Length);
    }

    /// <summary>Frees zstd's state.</summary>
    ~ZstdDecompression() => ZstdNative.ZSTD_freeDCtx(_context);

    /// <inheritdoc/>
    public override bool Run(ReadOnlySpan<byte> input, ByteBuffer output, TransformEnd end)
    {
        _in += input.Length;
        fixed (byte* p = input)
        {
            var from = new ZstdBuffer { Bytes = p, Size = (nuint)input.Length };
            bool full = false;
            while (!_broken && (from.Position < from.Size || full))
            {
                Span<byte> room = output.Room(4096);
                fixed (byte* q = room)
                {
                    var to = new ZstdBuffer { Bytes = q, Size = (nuint)room.Length };
                    _broken = ZstdNative.ZSTD_isError(ZstdNative.ZSTD_decompressStream(_context, &to, &from)) != 0;
                    output.Advance((int)to.Position);
                    _out += (long)to.Position;
                    full = to.Position == to.Size;
                }
                _broken |= _out > _in * RatioMax;
            }
        }
        return !_broken;
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        (_in, _out, _broken) = (0, 0, false);
        ZstdNative.ZSTD_DCtx_reset(_context, ZstdNative.SessionOnly);
    }
}
