using System.Buffers;
using System.IO.Compression;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Filters.Compression;

/// <summary>brotli, towards smaller. The runtime's encoder can't be reset: a stream's state is made with its first byte.</summary>
/// <param name="quality">0 to 11.</param>
/// <param name="window">10 to 24.</param>
public sealed class BrotliCompression(int quality, int window) : ByteTransform
{
    private BrotliEncoder _encoder;
    private bool _begun;

    /// <inheritdoc/>
    public override bool Run(ReadOnlySpan<byte> input, ByteBuffer output, TransformEnd end)
    {
        if (!_begun)
            _encoder = new BrotliEncoder(quality, window);
        _begun = true;
        OperationStatus status;
        do
        {
            status = _encoder.Compress(input, output.Room(4096), out int used, out int written, isFinalBlock: end == TransformEnd.Finish);
            input = input[used..];
            output.Advance(written);
        }
        while (status == OperationStatus.DestinationTooSmall || !input.IsEmpty);
        while (end == TransformEnd.Flush && status != OperationStatus.DestinationTooSmall)
        {
            OperationStatus flushed = _encoder.Flush(output.Room(4096), out int written);
            output.Advance(written);
            if (flushed != OperationStatus.DestinationTooSmall)
                break;
        }
        return true;
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        _encoder.Dispose();
        _begun = false;
    }
}

/// <summary>brotli, back to plain.</summary>
public sealed class BrotliDecompression : ByteTransform
{
    // Envoy's bound of growth.
    private const long RatioMax = 100;
    private BrotliDecoder _decoder;
    private long _in, _out;
    private bool _broken;

    /// <inheritdoc/>
    public override bool Run(ReadOnlySpan<byte> input, ByteBuffer output, TransformEnd end)
    {
        _in += input.Length;
        OperationStatus status = OperationStatus.NeedMoreData;
        while (!_broken && (!input.IsEmpty || status == OperationStatus.DestinationTooSmall))
        {
            status = _decoder.Decompress(input, output.Room(4096), out int used, out int written);
            input = input[used..];
            output.Advance(written);
            _out += written;
            _broken = status == OperationStatus.InvalidData || _out > _in * RatioMax;
            if (status == OperationStatus.Done)
                break;
        }
        return !_broken;
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        _decoder.Dispose();
        _decoder = default;
        (_in, _out, _broken) = (0, 0, false);
    }
}
