namespace Lateen.Proxy.Formats;

/// <summary>One piece of a format.</summary>
public abstract class FormatPart
{
    /// <summary>Writes the value; false (and nothing written) where the stream has none.</summary>
    public abstract bool Write(IStreamFacts facts, ByteBuffer to);

    /// <summary>True where the value is a number in typed JSON.</summary>
    public virtual bool IsNumber => false;

    /// <summary>True where <see cref="Write"/> writes JSON itself (objects, lists), to be taken as it is in typed JSON.</summary>
    public virtual bool IsJson => false;
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
    private TextFormat(string written, IReadOnlyList<FormatPart> parts)
    {
        Written = written;
        Parts = parts;
    }

    /// <summary>As it was written.</summary>
    public string Written { get; }

    /// <summary>Its pieces.</summary>
    public IReadOnlyList<FormatPart> Parts { get; }

    /// <summary>True where nothing depends on the stream.</summary>
    public bool IsConstant => Parts.Count == 0 || (Parts.Count == 1 && Parts[0] is LiteralPart);

    /// <summary>Parses.</summary>
    /// <exception cref="FormatException">An operator is unknown or wrong; the message names it and its position.</exception>
    public static TextFormat Parse(string text) => new(text, FormatParser.Parse(text));

    /// <summary>A text that is no format: percent signs stand for themselves.</summary>
    public static TextFormat Literal(string text) => new(text, text.Length == 0 ? [] : [new LiteralPart(text)]);

    /// <summary>Writes it; a value that the stream lacks is written as <c>-</c>, or as nothing with <paramref name="omitEmpty"/>.</summary>
    public void Write(IStreamFacts facts, ByteBuffer to, bool omitEmpty = false)
    {
        foreach (FormatPart part in Parts)
        {
            if (!part.Write(facts, to) && !omitEmpty)
                to.Append((byte)'-');
        }
    }
}
