// One: HTTP/1.0 and 1.1 of both roles (RFC 9112). A server connection turns bytes into one request after another and responses into bytes;
// a client connection does the reverse. Both share the scanner (where does a head end, where are its lines), the parser (lines ->
// HeaderMap), the body reader (length, chunks, until close) and the writer. Heads are parsed in place in the span that arrived; only a head
// that came in pieces is copied, into a rented buffer that goes back as soon as it is used up, so that an idle connection holds none.
// Framing is decided once, from the head, and messages are framed anew on the way out: no framing header of a peer is ever copied. Leniency
// follows Envoy's parser where its recorded behaviour shows it (bare LF, folded lines); what it refuses, we refuse.
// Refused: a byte-at-a-time state machine (three times slower on heads), System.IO.Pipelines (allocation and a task switch per read).
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Lateen.Proxy.Http.One;

/// <summary>A line of a head.</summary>
/// <param name="Feed">Where its line feed stands.</param>
/// <param name="Colon">Where its first colon stands; -1 where it has none.</param>
internal readonly record struct HeadLine(int Feed, int Colon);

/// <summary>Finds the end of a head or a trailer block, the ends of its lines and their colons in one pass of 64 bytes a step.</summary>
internal sealed class HeadScanner
{
    private const byte Lf = (byte)'\n', Cr = (byte)'\r';
    private const int Step = 64;

    // A block that is shorter than a step, and zeros behind it.
    private readonly byte[] _short = new byte[Step];

    private HeadLine[] _lines = new HeadLine[128];

    /// <summary>The lines from the start of the block to its blank line, that one included.</summary>
    public ReadOnlySpan<HeadLine> Lines => _lines.AsSpan(0, Count);

    /// <summary>How many line feeds were seen.</summary>
    public int Count { get; private set; }

    /// <summary>Of a head, what is no header field: its first line, and a byte of each line's end.</summary>
    public int PlainBytes => _lines[0].Feed + 1 + Count;

    /// <summary>True where a complete block holds control characters (tabs among them), or carriage returns without line feed: lines must
    /// be looked at one by one.</summary>
    public bool Suspicious { get; private set; }

    /// <summary>Scans a block from its first byte. The result is its length with the blank line; 0 where it is not complete.</summary>
    public int Scan(ReadOnlySpan<byte> block)
    {
        HeadLine[] lines = _lines;
        int count = 0, lineStart = 0, colon = -1;
        ulong odd = 0, lastReturn = 0;
        ref byte start = ref block.Length >= Step ? ref MemoryMarshal.GetReference(block) : ref Padded(block);
        for (int at = 0; at < block.Length; at += Step)
        {
            // The last step reads the block's last 64 bytes once more; what was seen of them is shifted out.
            int again = Math.Max(0, Math.Min(at, at + Step - block.Length));
            Vector256<byte> low = Vector256.LoadUnsafe(ref start, (nuint)(at - again)),
                high = Vector256.LoadUnsafe(ref start, (nuint)(at - again + 32));
            ulong feeds = Where(low, high, Lf) >> again, returns = Where(low, high, Cr) >> again,
                colons = Where(low, high, (byte)':') >> again;

            // Each return is followed by a feed; that of a step's last byte stands in the next step.
            ulong alone = (returns & ~(feeds >> 1) & ~(1ul << 63)) | (lastReturn & ~feeds);
            ulong oddHere = ((Controls(low) | ((ulong)Controls(high) << 32)) >> again & ~(feeds | returns)) | alone;
            lastReturn = returns >> 63;
            for (; feeds != 0; feeds &= feeds - 1)
            {
                ulong upToFeed = feeds ^ (feeds - 1);
                int feed = at + BitOperations.TrailingZeroCount(feeds);
                if (colon < 0 && (colons & upToFeed) != 0)
                    colon = at + BitOperations.TrailingZeroCount(colons);
                if (count == lines.Length)
                    lines = More();
                lines[count++] = new HeadLine(feed, colon);

                // A line of nothing, or of one return, ends the block.
                if (feed - lineStart < 2 && (feed == lineStart || Unsafe.Add(ref start, lineStart) == Cr))
                {
                    Count = count;
                    Suspicious = (odd | (oddHere & upToFeed)) != 0;
                    return feed + 1;
                }
                colons &= ~upToFeed;
                colon = -1;
                lineStart = feed + 1;
            }
            if (colon < 0 && colons != 0)
                colon = at + BitOperations.TrailingZeroCount(colons);
            odd |= oddHere;
        }
        Count = count;
        return 0;
    }

    /// <summary>True where the block, of which <paramref name="scanned"/> bytes were seen incomplete before, is complete now.</summary>
    public static bool IsComplete(ReadOnlySpan<byte> block, int scanned)
    {
        int lineStart = block[..scanned].LastIndexOf(Lf) + 1, from = scanned;
        for (int feed = block[from..].IndexOf(Lf); feed >= 0; feed = block[from..].IndexOf(Lf))
        {
            if (IsBlank(block[lineStart..(from + feed)]))
                return true;
            lineStart = from += feed + 1;
        }
        return false;
    }

    private static bool IsBlank(ReadOnlySpan<byte> line) => line.Length < 2 && (line.IsEmpty || line[0] == Cr);

    private HeadLine[] More()
    {
        Array.Resize(ref _lines, _lines.Length * 2);
        return _lines;
    }

    private ref byte Padded(ReadOnlySpan<byte> block)
    {
        Array.Clear(_short);
        block.CopyTo(_short);
        return ref MemoryMarshal.GetArrayDataReference(_short);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Where(Vector256<byte> low, Vector256<byte> high, byte wanted)
    {
        Vector256<byte> all = Vector256.Create(wanted);
        return Vector256.Equals(low, all).ExtractMostSignificantBits()
            | ((ulong)Vector256.Equals(high, all).ExtractMostSignificantBits() << 32);
    }

    // What is below a space, line ends among them, and DEL.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Controls(Vector256<byte> bytes) =>
        (Vector256.LessThan(bytes, Vector256.Create((byte)' '))
            | Vector256.Equals(bytes, Vector256.Create((byte)0x7f))).ExtractMostSignificantBits();
}
