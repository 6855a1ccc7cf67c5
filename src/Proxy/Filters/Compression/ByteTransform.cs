// Compression: bodies made smaller or plain again on their way (envoy.extensions.filters.http.compressor.v3 and decompressor.v3): gzip,
// brotli, zstd. A ByteTransform is one running stream with native state; a TransformPool keeps them by worker, so that a warm response
// allocates nothing. gzip and zstd are the system's libz.so.1 and libzstd.so.1 (all of Envoy's settings work, and state can be reset and
// used again, which System.IO.Compression's streams do not offer); brotli is the runtime's. A setting that names a library which is not
// installed is refused when it is published. Bodies are transformed part by part and never held; what inflates beyond the allowed ratio
// ends there.
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Filters.Compression;

/// <summary>What is to be out when a call returns.</summary>
public enum TransformEnd : byte
{
    /// <summary>All that was put in can be read by the other side.</summary>
    Flush,

    /// <summary>The stream's end.</summary>
    Finish,
}

/// <summary>A stream being compressed or decompressed. One user at a time.</summary>
public abstract class ByteTransform
{
    /// <summary>Takes input and appends what comes of it. False where the input is no such stream, or grows too much; nothing more comes
    /// then.</summary>
    public abstract bool Run(ReadOnlySpan<byte> input, ByteBuffer output, TransformEnd end);

    /// <summary>Ready for another stream.</summary>
    public abstract void Reset();
}

/// <summary>Makes transforms with given settings and keeps those that are free, by worker.</summary>
/// <param name="encoding">The content coding's name.</param>
/// <param name="workers">Number of workers.</param>
/// <param name="make">Makes one.</param>
public sealed class TransformPool(string encoding, int workers, Func<ByteTransform> make)
{
    private const int KeptMax = 16;
    private readonly Stack<ByteTransform>[] _free = [.. Enumerable.Range(0, workers).Select(_ => new Stack<ByteTransform>())];

    /// <summary>The content coding.</summary>
    public string Encoding { get; } = encoding;

    /// <summary>Its bytes.</summary>
    public byte[] EncodingBytes { get; } = System.Text.Encoding.ASCII.GetBytes(encoding);

    /// <summary>A transform for a worker's use.</summary>
    public ByteTransform Take(Worker worker) => _free[worker.Index].TryPop(out ByteTransform? free) ? free : make();

    /// <summary>Takes one back.</summary>
    public void Return(Worker worker, ByteTransform transform)
    {
        if (_free[worker.Index].Count >= KeptMax)
            return;
        transform.Reset();
        _free[worker.Index].Push(transform);
    }
}
