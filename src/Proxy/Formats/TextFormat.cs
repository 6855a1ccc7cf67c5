namespace Lateen.Proxy.Formats;

/// <summary>One piece of a format.</summary>
public abstract class FormatPart
{
    /// <summary>Writes the value; false (and nothing written) where the stream has none.</summary>
    public abstract bool Write(IStreamFacts facts, ByteBuffer to);

    /// <summary>Writes the value for typed JSON and says what was written: JSON as it is, or a text that is to be quoted.</summary>
    public virtual JsonForm WriteJson(IStreamFacts facts, ByteBuffer to) => Write(facts, to) ? JsonForm.Text : JsonForm.None;
}

/// <summary>What a part wrote for typed JSON.</summary>
public enum JsonForm : byte
{
    /// <summary>Nothing: there is no value.</summary>
    None,

    /// <summary>A text, not quoted yet.</summary>
    Text,

    /// <summary>JSON.</summary>
    Value,
}

/// <summary>Text as it stands.</summary>
public sealed class LiteralPart(string text) : FormatPart
{
    private readonly byte[] _text = System.Text.Encoding.UTF8.GetBytes(text);

    /// <inheritdoc/>
    public override bool Write(IStreamFacts facts, ByteBuffer to)
    {
        to.Append(_text);
        return true;
    }
}

/// <summary>A text with operators, parsed (Envoy's access log format strings).</summary>
public sealed class TextFormat
{
    private readonly FormatPart[] _parts;

    private TextFormat(string written, IReadOnlyList<FormatPart> parts)
    {
        Written = written;
        _parts = [.. parts];
    }

    /// <summary>As it was written.</summary>
    public string Written { get; }

    /// <summary>Its pieces.</summary>
    public IReadOnlyList<FormatPart> Parts => _parts;

    /// <summary>True where nothing depends on the stream.</summary>
    public bool IsConstant => Parts.Count == 0 || (Parts.Count == 1 && Parts[0] is LiteralPart);

    /// <summary>Parses.</summary>
    /// <exception cref="FormatException">An operator is unknown or wrong; the message names it and its position.</exception>
    public static TextFormat Parse(string text) => new(text, FormatParser.Parse(text));

    /// <summary>A text that is no format: percent signs stand for themselves.</summary>
    public static TextFormat Literal(string text) => new(text, text.Length == 0 ? [] : [new LiteralPart(text)]);

    // What ends a line, moves a terminal's cursor or rings its bell; a tab does neither.
    private static readonly System.Buffers.SearchValues<byte> Controls = System.Buffers.SearchValues.Create(
        [.. Enumerable.Range(0, 32).Where(static b => b != '\t').Append(127).Select(static b => (byte)b)]);

    /// <summary>Writes it as a line of a log: values can't begin lines of their own, their control bytes are written as
    /// <c>\x0a</c>.</summary>
    public void WriteLine(IStreamFacts facts, ByteBuffer to, bool omitEmpty = false)
    {
        foreach (FormatPart part in _parts)
        {
            int from = to.Length;
            if (!part.Write(facts, to))
            {
                if (!omitEmpty)
                    to.Append((byte)'-');
            }
            else if (part is not LiteralPart && to.Written[from..].ContainsAny(Controls))
            {
                Escape(to, from);
            }
        }
    }

    private static void Escape(ByteBuffer to, int from)
    {
        byte[] value = to.Written[from..].ToArray();
        to.Truncate(from);
        foreach (byte b in value)
        {
            if (!Controls.Contains(b))
            {
                to.Append(b);
                continue;
            }
            to.Append("\\x"u8);
            to.Append("0123456789abcdef"u8[b >> 4]);
            to.Append("0123456789abcdef"u8[b & 15]);
        }
    }

    /// <summary>Writes it; a value that the stream lacks is written as <c>-</c>, or as nothing with <paramref name="omitEmpty"/>.</summary>
    public void Write(IStreamFacts facts, ByteBuffer to, bool omitEmpty = false)
    {
        foreach (FormatPart part in _parts)
        {
            if (!part.Write(facts, to) && !omitEmpty)
                to.Append((byte)'-');
        }
    }
}
