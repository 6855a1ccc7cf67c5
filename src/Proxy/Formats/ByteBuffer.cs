// Formats: text with operators (%REQ(X)%), as header additions, access logs, local replies and tags use it. A TextFormat is parsed and
// checked once, when configuration is published (an unknown operator is refused by name and position), and evaluated over IStreamFacts into
// a ByteBuffer that its user keeps: no allocation once warm.
// Nothing here knows where the text goes. Refused: string interpolation handlers and Utf8JsonWriter on the warm path (boxing, and no
// control of Envoy's exact forms).
using System.Buffers.Text;

namespace Lateen.Proxy.Formats;

/// <summary>A growing run of bytes that is reused.</summary>
public sealed class ByteBuffer(int capacity = 256)
{
    private byte[] _bytes = new byte[capacity];

    /// <summary>Bytes in it.</summary>
    public int Length { get; private set; }

    /// <summary>What was written.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>What was written, as an array segment of the buffer itself.</summary>
    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(0, Length);

    /// <summary>A part of what was written, to be changed in its place.</summary>
    public Span<byte> At(int index, int length) => _bytes.AsSpan(0, Length).Slice(index, length);

    /// <summary>Empties it.</summary>
    public void Clear() => Length = 0;

    /// <summary>Cuts it to a length it had before.</summary>
    public void Truncate(int length) => Length = Math.Min(Length, length);

    /// <summary>Adds bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room(bytes.Length));
        Length += bytes.Length;
    }

    /// <summary>Adds one byte.</summary>
    public void Append(byte b)
    {
        Room(1)[0] = b;
        Length++;
    }

    /// <summary>Adds text as UTF-8.</summary>
    public void Append(string text)
    {
        Span<byte> room = Room(text.Length * 3);
        Length += System.Text.Encoding.UTF8.GetBytes(text, room);
    }

    /// <summary>Adds a number in decimal.</summary>
    public void Append(long number)
    {
        Utf8Formatter.TryFormat(number, Room(20), out int n);
        Length += n;
    }

    /// <summary>Adds a number in decimal with leading zeros.</summary>
    public void AppendPadded(long number, int digits)
    {
        Utf8Formatter.TryFormat(number, Room(24), out int n, new System.Buffers.StandardFormat('D', (byte)digits));
        Length += n;
    }

    /// <summary>Adds what formats itself.</summary>
    public void Append<T>(T value, ReadOnlySpan<char> format = default) where T : IUtf8SpanFormattable
    {
        Span<byte> room = Room(64);
        int n;
        while (!value.TryFormat(room, out n, format, System.Globalization.CultureInfo.InvariantCulture))
            room = Room(room.Length * 2);
        Length += n;
    }

    /// <summary>At least this many free bytes; say with <see cref="Advance"/> how many were used.</summary>
    public Span<byte> Room(int size)
    {
        if (Length + size > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + size));
        return _bytes.AsSpan(Length);
    }

    /// <summary>Counts bytes written into <see cref="Room"/>.</summary>
    public void Advance(int count) => Length += count;
}
