// One: HTTP/1.0 and 1.1 of both roles (RFC 9112). A server connection turns bytes into one request after another and responses into bytes; a client connection
// does the reverse. Both share the scanner (where does a head end, where are its lines), the parser (lines -> HeaderMap), the body reader (length, chunks, until
// close) and the writer. Heads are parsed in place in the span that arrived; only a head that came in pieces is copied, into a rented buffer that goes back as
// soon as it is used up, so that an idle connection holds none. Framing is decided once, from the head, and messages are framed anew on the way out: no
// framing header of a peer is ever copied. Leniency follows Envoy's parser where its recorded behaviour shows it (bare LF, folded lines); what it refuses, we refuse.
// Refused: a byte-at-a-time state machine (three times slower on heads), System.IO.Pipelines (allocation and a task switch per read).
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Lateen.Proxy.Http.One;

/// <summary>Finds the end of a head or a trailer block and the ends of its lines in one pass of 32 bytes a step.</summary>
internal sealed class HeadScanner
{
    private const byte Lf = (byte)'\n', Cr = (byte)'\r';

    private int[] _lines = new int[128];
    private int _previous;

    /// <summary>Positions of the line feeds, from the start of the block to its blank line, that one included.</summary>
    public ReadOnlySpan<int> Lines => _lines.AsSpan(0, Count);

    /// <summary>How many line feeds were seen.</summary>
    public int Count { get; private set; }

    /// <summary>True where the bytes seen may hold control characters, or carriage returns without line feed: values must be looked at one by one.</summary>
    public bool Suspicious { get; private set; }

    /// <summary>Scans a block from its first byte. The result is its length with the blank line; 0 where it is not complete.</summary>
    public int Scan(ReadOnlySpan<byte> block)
    {
        Count = 0;
        Suspicious = false;
        _previous = -1;
        return Run(block, 0);
    }

    /// <summary>True where the block, of which <paramref name="scanned"/> bytes were seen incomplete before, is complete now.</summary>
    public bool IsComplete(ReadOnlySpan<byte> block, int scanned)
    {
        Count = 0;
        _previous = block[..scanned].LastIndexOf(Lf);
        return Run(block, scanned) > 0;
    }

    private int Run(ReadOnlySpan<byte> block, int from)
    {
        ref byte start = ref MemoryMarshal.GetReference(block);
        int at = from;
        if (Vector256.IsHardwareAccelerated)
        {
            Vector256<byte> controls = Vector256<byte>.Zero;
            for (; at <= block.Length - Vector256<byte>.Count; at += Vector256<byte>.Count)
            {
                Vector256<byte> bytes = Vector256.LoadUnsafe(ref start, (nuint)at);
                Vector256<byte> feeds = Vector256.Equals(bytes, Vector256.Create(Lf));
                Vector256<byte> returns = Vector256.Equals(bytes, Vector256.Create(Cr));
                Vector256<byte> low = Vector256.Equals(Vector256.Min(bytes, Vector256.Create((byte)0x1f)), bytes);
                Vector256<byte> allowed = feeds | returns | Vector256.Equals(bytes, Vector256.Create((byte)'\t'));
                controls |= Vector256.AndNot(low, allowed) | Vector256.Equals(bytes, Vector256.Create((byte)0x7f));
                uint feedBits = feeds.ExtractMostSignificantBits(), returnBits = returns.ExtractMostSignificantBits();

                // Each return is followed by a feed; that of the last byte stands in the next step.
                uint alone = returnBits & ~(feedBits >> 1);
                Suspicious |= alone != 0 && (alone != 0x80000000 || at + 32 >= block.Length || block[at + 32] != Lf);
                for (; feedBits != 0; feedBits &= feedBits - 1)
                {
                    int feed = at + System.Numerics.BitOperations.TrailingZeroCount(feedBits);
                    if (Ends(block, feed))
                    {
                        Suspicious |= controls != Vector256<byte>.Zero;
                        return feed + 1;
                    }
                }
            }
            Suspicious |= controls != Vector256<byte>.Zero;
        }
        return RunTail(block, at);
    }

    private int RunTail(ReadOnlySpan<byte> block, int at)
    {
        for (; at < block.Length; at++)
        {
            byte b = block[at];
            if (b == Lf)
            {
                if (Ends(block, at))
                    return at + 1;
            }
            else if ((b < 0x20 && b != '\t' && (b != Cr || at + 1 >= block.Length || block[at + 1] != Lf)) || b == 0x7f)
            {
                Suspicious = true;
            }
        }
        return 0;
    }

    // A line of nothing, or of one carriage return, ends the block.
    private bool Ends(ReadOnlySpan<byte> block, int feed)
    {
        if (Count == _lines.Length)
            Array.Resize(ref _lines, _lines.Length * 2);
        _lines[Count++] = feed;
        int length = feed - _previous - 1;
        _previous = feed;
        return length == 0 || (length == 1 && block[feed - 1] == Cr);
    }
}
