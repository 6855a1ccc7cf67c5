using System.Text;
using Lateen.Proxy.Net;

namespace Lateen.Test.Fuzz.Frame;

/// <summary>Inputs that are worth changing, and the changes.</summary>
internal sealed class InputPool(IReadOnlyList<byte[]> words)
{
    private const int InputsMax = 4_000, LengthMax = 64 * 1024;

    private static readonly byte[] Bounds = [0, 1, 0x7f, 0x80, 0xff];

    private readonly List<byte[]> _inputs = [];

    public int Count => _inputs.Count;

    public void Add(byte[] input)
    {
        if (_inputs.Count < InputsMax && input.Length <= LengthMax)
            _inputs.Add(input);
    }

    public byte[] Any(Chance chance) => _inputs.Count == 0 ? [] : _inputs[(int)chance.Below((uint)_inputs.Count)];

    /// <summary>One of the inputs (or two of them joined), changed in a few places.</summary>
    public byte[] Change(Chance chance)
    {
        var bytes = new List<byte>(Any(chance));
        if (chance.Hits(1, 5))
        {
            byte[] other = Any(chance);
            int at = bytes.Count == 0 ? 0 : (int)chance.Below((uint)bytes.Count + 1);
            bytes.InsertRange(at, other[..(int)chance.Below((uint)other.Length + 1)]);
        }
        for (uint n = 1 + chance.Below(6); n > 0; n--)
            ChangeOnce(chance, bytes);
        return [.. bytes.Take(LengthMax)];
    }

    private void ChangeOnce(Chance chance, List<byte> bytes)
    {
        if (bytes.Count == 0)
        {
            bytes.Add((byte)chance.Below(256));
            return;
        }
        int at = (int)chance.Below((uint)bytes.Count);
        switch (chance.Below(9))
        {
            case 0:
                bytes[at] = (byte)chance.Below(256);
                break;
            case 1:
                bytes[at] ^= (byte)(1 << (int)chance.Below(8));
                break;
            case 2:
                bytes[at] = Bounds[chance.Below((uint)Bounds.Length)];
                break;
            case 3:
                bytes.RemoveRange(at, Math.Min((int)chance.Below(12) + 1, bytes.Count - at));
                break;
            case 4:
                bytes.InsertRange(at, bytes.GetRange(at, Math.Min((int)chance.Below(60), bytes.Count - at)));
                break;
            case 5:
                bytes.Insert(at, "\r\n\t :;,\0\"{}[]-"u8[(int)chance.Below(14)]);
                break;
            case 6:
                bytes.InsertRange(at,
                    Encoding.ASCII.GetBytes(chance.NextULong().ToString(System.Globalization.CultureInfo.InvariantCulture)));
                break;
            case 7:
                // A number becomes its neighbour: off by one is where parsers break.
                bytes[at] += (byte)(chance.Hits(1, 2) ? 1 : 255);
                break;
            default:
                if (words.Count > 0)
                    bytes.InsertRange(at, words[(int)chance.Below((uint)words.Count)]);
                break;
        }
    }
}
