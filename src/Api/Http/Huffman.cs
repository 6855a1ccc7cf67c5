namespace Lateen.Api.Http;

/// <summary>
/// The Huffman code of HPACK. Decoding takes four bits a step through a table of states (the inner nodes of the code's tree); encoding
/// collects bits in a word.
/// Padding may be longer than seven bits, as Envoy's decoder allows: it says nothing, so refusing it protects nobody; a full EOS or other
/// padding is refused.
/// </summary>
public static class Huffman
{
    private const byte Emits = 1, MayEnd = 2, Fails = 4;

    private struct Step
    {
        public ushort Next;
        public byte Symbol, Flags;
    }

    private static readonly Step[] Steps = MakeSteps();

    /// <summary>Decodes into <paramref name="to"/>, which must hold 8/5 of the input. The result is the length; -1 where the text is
    /// malformed.</summary>
    public static int Decode(ReadOnlySpan<byte> from, Span<byte> to)
    {
        Step[] steps = Steps;
        int length = 0, state = 0;
        byte flags = MayEnd;
        foreach (byte b in from)
        {
            ref Step high = ref steps[(state << 4) | (b >> 4)];
            if ((high.Flags & Emits) != 0)
                to[length++] = high.Symbol;
            ref Step low = ref steps[(high.Next << 4) | (b & 15)];
            if ((low.Flags & Emits) != 0)
                to[length++] = low.Symbol;
            if (((high.Flags | low.Flags) & Fails) != 0)
                return -1;
            flags = low.Flags;
            state = low.Next;
        }
        return (flags & MayEnd) != 0 ? length : -1;
    }

    /// <summary>How many bytes the text takes encoded.</summary>
    public static int EncodedLength(ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> lengths = HpackTables.Lengths;
        int bits = 0;
        foreach (byte b in text)
            bits += lengths[b];
        return (bits + 7) >> 3;
    }

    /// <summary>Encodes; the result is the length.</summary>
    public static int Encode(ReadOnlySpan<byte> text, Span<byte> to)
    {
        ReadOnlySpan<byte> lengths = HpackTables.Lengths;
        ReadOnlySpan<uint> codes = HpackTables.Codes;
        ulong collected = 0;
        int bits = 0, at = 0;
        foreach (byte b in text)
        {
            collected = (collected << lengths[b]) | codes[b];
            bits += lengths[b];
            while (bits >= 8)
            {
                bits -= 8;
                to[at++] = (byte)(collected >> bits);
            }
        }
        if (bits > 0)
            to[at++] = (byte)((collected << (8 - bits)) | (0xffu >> bits));
        return at;
    }

    // Inner nodes are numbered from the root (0); a child below zero is the leaf of symbol -1 - child; EOS and what lies beyond it is
    // missing.
    private static Step[] MakeSteps()
    {
        int[][] nodes = MakeTree(out int count);
        bool[] mayEnd = new bool[count];

        // RFC 7541 5.2: padding is the beginning of EOS (all ones), and less than a byte of it.
        for (int node = 0, depth = 0; node >= 0 && depth < 8; depth++)
        {
            mayEnd[node] = true;
            node = nodes[node][1] > 0 ? nodes[node][1] : -1;
        }
        Step[] steps = new Step[count * 16];
        for (int node = 0; node < count; node++)
        {
            for (int nibble = 0; nibble < 16; nibble++)
                steps[(node << 4) | nibble] = Walk(nodes, node, nibble, mayEnd);
        }
        return steps;
    }

    private static Step Walk(int[][] nodes, int node, int nibble, bool[] mayEnd)
    {
        var step = new Step();
        for (int bit = 3; bit >= 0; bit--)
        {
            int child = nodes[node][(nibble >> bit) & 1];
            if (child == 0)
                return new Step { Flags = Fails };
            if (child > 0)
            {
                node = child;
                continue;
            }
            step.Symbol = (byte)(-1 - child);
            step.Flags |= Emits;
            node = 0;
        }
        step.Next = (ushort)node;
        step.Flags |= mayEnd[node] ? MayEnd : (byte)0;
        return step;
    }

    private static int[][] MakeTree(out int count)
    {
        var nodes = new List<int[]> { new int[2] };
        for (int symbol = 0; symbol < 256; symbol++)
        {
            int node = 0;
            for (int bit = HpackTables.Lengths[symbol] - 1; bit > 0; bit--)
            {
                ref int child = ref nodes[node][(int)(HpackTables.Codes[symbol] >> bit) & 1];
                if (child == 0)
                {
                    child = nodes.Count;
                    nodes.Add(new int[2]);
                }
                node = child;
            }
            nodes[node][(int)HpackTables.Codes[symbol] & 1] = -1 - symbol;
        }
        count = nodes.Count;
        return [.. nodes];
    }
}
