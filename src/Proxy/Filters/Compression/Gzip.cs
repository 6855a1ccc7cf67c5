using System.Runtime.InteropServices;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Filters.Compression;

/// <summary>zlib's stream record on 64-bit systems (zlib.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ZStream
{
    public byte* NextIn;
    public uint AvailableIn;
    public nuint TotalIn;
    public byte* NextOut;
    public uint AvailableOut;
    public nuint TotalOut;
    public byte* Message;
    public nint State, Allocate, Free, Opaque;
    public int DataType;
    public nuint Adler, Reserved;
}

/// <summary>zlib's functions.</summary>
internal static unsafe partial class Zlib
{
    public const string Library = "libz.so.1";
    public const int Deflated = 8, SyncFlush = 2, Finish = 4, Ok = 0, StreamEnd = 1, BufferError = -5;

    /// <summary>Added to the window's bits: gzip's header and trailer.</summary>
    public const int GzipFormat = 16;

    public static bool IsInstalled { get; } = NativeLibrary.TryLoad(Library, out _);

    [LibraryImport(Library)] public static partial int deflateInit2_(ZStream* stream, int level, int method, int windowBits,
        int memoryLevel, int strategy, byte* version, int size);
    [LibraryImport(Library)] public static partial int deflate(ZStream* stream, int flush);
    [LibraryImport(Library)] public static partial int deflateReset(ZStream* stream);
    [LibraryImport(Library)] public static partial int deflateEnd(ZStream* stream);
    [LibraryImport(Library)] public static partial int inflateInit2_(ZStream* stream, int windowBits, byte* version, int size);
    [LibraryImport(Library)] public static partial int inflate(ZStream* stream, int flush);
    [LibraryImport(Library)] public static partial int inflateReset(ZStream* stream);
    [LibraryImport(Library)] public static partial int inflateEnd(ZStream* stream);
    [LibraryImport(Library)] public static partial byte* zlibVersion();
}

/// <summary>Envoy's settings of gzip.</summary>
/// <param name="Level">-1 for zlib's default, else 1 to 9.</param>
/// <param name="Strategy">zlib's strategy.</param>
/// <param name="WindowBits">9 to 15.</param>
/// <param name="MemoryLevel">1 to 9.</param>
public sealed record GzipOptions(int Level = -1, int Strategy = 0, int WindowBits = 12, int MemoryLevel = 5);

/// <summary>gzip, towards smaller.</summary>
public sealed unsafe class GzipCompression : ByteTransform
{
    private readonly ZStream* _stream;

    /// <exception cref="InvariantException">zlib refuses the settings, which were checked.</exception>
    public GzipCompression(GzipOptions options)
    {
        _stream = (ZStream*)NativeMemory.AllocZeroed((nuint)sizeof(ZStream));
        int status = Zlib.deflateInit2_(_stream, options.Level, Zlib.Deflated, options.WindowBits | Zlib.GzipFormat, options.MemoryLevel,
            options.Strategy, Zlib.zlibVersion(), sizeof(ZStream));
        if (status != Zlib.Ok)
            throw new InvariantException($"deflateInit2 failed with {status}");
    }

    /// <summary>Frees zlib's state.</summary>
    ~GzipCompression()
    {
        Zlib.deflateEnd(_stream);
        NativeMemory.Free(_stream);
    }

    /// <inheritdoc/>
    public override bool Run(ReadOnlySpan<byte> input, ByteBuffer output, TransformEnd end)
    {
        fixed (byte* p = input)
        {
            _stream->NextIn = p;
            _stream->AvailableIn = (uint)input.Length;
            do
            {
                Span<byte> room = output.Room(4096);
                fixed (byte* to = room)
                {
                    _stream->NextOut = to;
                    _stream->AvailableOut = (uint)room.Length;
                    Zlib.deflate(_stream, end == TransformEnd.Finish ? Zlib.Finish : Zlib.SyncFlush);
                }
                output.Advance(room.Length - (int)_stream->AvailableOut);
            }
            while (_stream->AvailableOut == 0);
        }
        return true;
    }

    /// <inheritdoc/>
    public override void Reset() => Zlib.deflateReset(_stream);
}

/// <summary>gzip, back to plain.</summary>
public sealed unsafe class GzipDecompression : ByteTransform
{
    private readonly ZStream* _stream;
    private readonly uint _ratioMax;
    private bool _broken;

    /// <exception cref="InvariantException">zlib refuses the settings, which were checked.</exception>
    public GzipDecompression(int windowBits, uint ratioMax)
    {
        _ratioMax = ratioMax;
        _stream = (ZStream*)NativeMemory.AllocZeroed((nuint)sizeof(ZStream));
        int status = Zlib.inflateInit2_(_stream, windowBits | Zlib.GzipFormat, Zlib.zlibVersion(), sizeof(ZStream));
        if (status != Zlib.Ok)
            throw new InvariantException($"inflateInit2 failed with {status}");
    }

    /// <summary>Frees zlib's state.</summary>
    ~GzipDecompression()
    {
        Zlib.inflateEnd(_stream);
        NativeMemory.Free(_stream);
    }

    /// <inheritdoc/>
    public override bool Run(ReadOnlySpan<byte> input, ByteBuffer output, TransformEnd end)
    {
        if (_broken || input.IsEmpty)
            return !_broken;
        fixed (byte* p = input)
        {
            _stream->NextIn = p;
            _stream->AvailableIn = (uint)input.Length;
            int status;
            do
            {
                Span<byte> room = output.Room(4096);
                fixed (byte* to = room)
                {
                    _stream->NextOut = to;
                    _stream->AvailableOut = (uint)room.Length;
                    status = Zlib.inflate(_stream, Zlib.SyncFlush);
                }
                output.Advance(room.Length - (int)_stream->AvailableOut);
                _broken = (status is not (Zlib.Ok or Zlib.StreamEnd or Zlib.BufferError))
                    || (_ratioMax > 0 && _stream->TotalOut > _stream->TotalIn * _ratioMax);
            }
            while (!_broken && status == Zlib.Ok && _stream->AvailableOut == 0);
        }
        return !_broken;
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        _broken = false;
        Zlib.inflateReset(_stream);
    }
}
