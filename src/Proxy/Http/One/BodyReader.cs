namespace Lateen.Proxy.Http.One;

/// <summary>What a step of the <see cref="BodyReader"/> found.</summary>
internal enum BodyStep : byte
{
    /// <summary>The input is used up.</summary>
    NeedMore,

    /// <summary>A part of the body.</summary>
    Part,

    /// <summary>The last chunk's line is over; a trailer block (perhaps only its blank line) begins.</summary>
    Trailers,

    /// <summary>The chunks are malformed.</summary>
    Malformed,
}

/// <summary>
/// Takes a body out of the bytes of a connection: by its length, by chunks (RFC 9112 7.1), or all of it until the close. It holds no bytes.
/// Chunk lines may end in a bare line feed and what follows a chunk's data up to the line feed is skipped, as Envoy does; a carriage return
/// alone ends nothing and is an error.
/// </summary>
internal struct BodyReader
{
    private enum State : byte
    {
        None,
        Fixed,
        UntilClose,
        Size,
        SizeDigits,
        SizeEnd,
        Extension,
        ExtensionReturn,
        Chunk,
        ChunkEnd,
    }

    private State _state;
    private ulong _left;

    /// <summary>A body of a known length above zero.</summary>
    public static BodyReader OfLength(ulong length) => new() { _state = State.Fixed, _left = length };

    /// <summary>A chunked body.</summary>
    public static BodyReader OfChunks() => new() { _state = State.Size };

    /// <summary>All bytes until the connection ends.</summary>
    public static BodyReader OfRest() => new() { _state = State.UntilClose };

    /// <summary>True where the end of the connection is the end of the body.</summary>
    public readonly bool EndsWithConnection => _state == State.UntilClose;

    /// <summary>The line of the last chunk is being read: the body itself was whole.</summary>
    public readonly bool IsAtLastChunk => _left == 0 && _state is (State.SizeEnd or State.Extension or State.ExtensionReturn);

    /// <summary>Takes a body, or the rest of one, that has a length and has arrived.</summary>
    public bool TryTakeWhole(scoped ref ReadOnlySpan<byte> input, out ReadOnlySpan<byte> body)
    {
        if (_state != State.Fixed || _left > (ulong)input.Length)
        {
            body = default;
            return false;
        }
        body = input[..(int)_left];
        input = input[(int)_left..];
        _left = 0;
        return true;
    }

    /// <summary>Goes to the next piece; the last one of a body with a length is left to <see cref="TryTakeWhole"/>.
    /// <paramref name="input"/> moves behind what was used; <paramref name="part"/> is a part of it.</summary>
    public BodyStep Next(scoped ref ReadOnlySpan<byte> input, out ReadOnlySpan<byte> part)
    {
        part = default;
        while (!input.IsEmpty)
        {
            switch (_state)
            {
                case State.Fixed:
                case State.Chunk:
                    return Take(ref input, out part);
                case State.UntilClose:
                    part = input;
                    input = default;
                    return BodyStep.Part;
                case State.ChunkEnd:
                    int feed = input.IndexOf((byte)'\n');
                    input = feed < 0 ? default : input[(feed + 1)..];
                    _state = feed < 0 ? State.ChunkEnd : State.Size;
                    break;
                case State.Size:
                case State.SizeDigits:
                    if (!ReadSize(ref input))
                        return BodyStep.Malformed;
                    break;
                default:
                    if (!ReadExtension(ref input, out bool over))
                        return BodyStep.Malformed;
                    if (over && _left == 0)
                        return BodyStep.Trailers;
                    break;
            }
        }
        return BodyStep.NeedMore;
    }

    private BodyStep Take(scoped ref ReadOnlySpan<byte> input, out ReadOnlySpan<byte> part)
    {
        int n = (int)Math.Min(_left, (ulong)input.Length);
        part = input[..n];
        input = input[n..];
        _left -= (ulong)n;
        if (_left == 0)
            _state = State.ChunkEnd;
        return BodyStep.Part;
    }

    private bool ReadSize(ref ReadOnlySpan<byte> input)
    {
        if (_state == State.Size)
            _left = 0;
        for (int i = 0; i < input.Length; i++)
        {
            int digit = HexDigit(input[i]);
            if (digit < 0)
            {
                bool delimiter = input[i] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n' or (byte)';';
                if (!delimiter || _state == State.Size)
                    return false;
                input = input[i..];
                _state = State.SizeEnd;
                return true;
            }
            if (_left >> 60 != 0)
                return false;
            _left = (_left << 4) | (uint)digit;
            _state = State.SizeDigits;
        }
        input = default;
        return true;
    }

    private bool ReadExtension(ref ReadOnlySpan<byte> input, out bool over)
    {
        over = false;
        if (_state == State.ExtensionReturn && input[0] != '\n')
            return false;
        int end = input.IndexOfAny((byte)'\r', (byte)'\n');
        if (end < 0)
        {
            input = default;
            _state = State.Extension;
            return true;
        }
        if (input[end] == '\r')
        {
            _state = State.ExtensionReturn;
            input = input[(end + 1)..];
            return true;
        }
        // A bare line feed may end a size, but not an extension (the TERM.EXT smuggling of CVE-2025-55315).
        if (_state != State.ExtensionReturn && (end > 0 || _state == State.Extension))
            return false;
        over = true;
        _state = _left == 0 ? State.None : State.Chunk;
        input = input[(end + 1)..];
        return true;
    }

    private static int HexDigit(byte b) => b switch
    {
        >= (byte)'0' and <= (byte)'9' => b - '0',
        >= (byte)'a' and <= (byte)'f' => b - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => b - 'A' + 10,
        _ => -1,
    };
}
