// Constraints: what the schema's own rules (protoc-gen-validate's options, which the committed .proto files carry) say about the values of
// a message: required, at least one item, a positive duration, a known enumeration value. Envoy checks them before it looks at a resource
// any closer, and refuses with one sentence that names the field; whoever translates a message that passed may lean on them. Checked on the
// wire's bytes by the message's shape, so that no generated descriptor runs. A type's rules are read when it is first met and kept; nothing
// else is.
// Refused: generated validators (twelve hundred classes more), reflection over messages (descriptors at start), and each translator
// checking on its own (every one forgets another field).
using System.Buffers.Binary;

namespace Lateen.Api.Schemas.Constraints;

/// <summary>Walks the fields of a message's bytes.</summary>
public ref struct WireFields(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>The field's number.</summary>
    public int Number { get; private set; }

    /// <summary>The value of a number: a varint's, or the bits of a fixed one.</summary>
    public ulong Value { get; private set; }

    /// <summary>True where <see cref="Bytes"/> hold the value.</summary>
    public bool IsBytes { get; private set; }

    /// <summary>The value of a text, of bytes, of a message or of packed numbers.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>Bytes behind the field.</summary>
    public readonly int Left => _rest.Length;

    /// <summary>The next field; false at the end, and where the bytes are broken.</summary>
    public bool Next()
    {
        if (_rest.IsEmpty || !TryVarint(out ulong tag))
            return false;
        Number = (int)(tag >> 3);
        IsBytes = (tag & 7) == 2;
        Bytes = default;
        switch (tag & 7)
        {
            case 0:
                if (!TryVarint(out ulong value))
                    return false;
                Value = value;
                return true;
            case 1 when _rest.Length >= 8:
                Value = BinaryPrimitives.ReadUInt64LittleEndian(_rest);
                _rest = _rest[8..];
                return true;
            case 5 when _rest.Length >= 4:
                Value = BinaryPrimitives.ReadUInt32LittleEndian(_rest);
                _rest = _rest[4..];
                return true;
            case 2:
                if (!TryVarint(out ulong length) || length > (ulong)_rest.Length)
                    return false;
                Bytes = _rest[..(int)length];
                _rest = _rest[(int)length..];
                return true;
            default:
                return false;
        }
    }

    /// <summary>The next of packed varints.</summary>
    public bool NextPacked(out ulong value)
    {
        value = 0;
        return !_rest.IsEmpty && TryVarint(out value);
    }

    private bool TryVarint(out ulong value)
    {
        value = 0;
        for (int i = 0; i < _rest.Length && i < 10; i++)
        {
            value |= (ulong)(_rest[i] & 0x7f) << (7 * i);
            if (_rest[i] >= 0x80)
                continue;
            _rest = _rest[(i + 1)..];
            return true;
        }
        return false;
    }
}
