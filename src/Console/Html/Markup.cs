// Html: text that is safe to send to a browser. An interpolated string becomes Html by encoding every hole, unless the hole is Html itself;
// so a page is written as it reads, and a name with an angle bracket in it cannot become a tag. There is no way from string to Html but
// Raw.
//
// Refused: Razor (a compiler and a view engine for ten pages), and a client-side framework (a build chain, and nothing without scripts).
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;

namespace Lateen.Console.Html;

/// <summary>A piece of a page, already encoded.</summary>
public readonly struct Markup
{
    private readonly string? _text;

    private Markup(string text) => _text = text;

    /// <summary>Nothing.</summary>
    public static Markup Empty => default;

    /// <summary>A literal with holes; the holes are encoded.</summary>
    public static Markup Of(MarkupBuilder builder) => new(builder.ToString());

    /// <summary>Text that is markup already and comes from this program.</summary>
    public static Markup Raw(string trusted) => new(trusted);

    /// <summary>Pieces one after the other.</summary>
    public static Markup Join(IEnumerable<Markup> pieces) => new(string.Concat(pieces.Select(piece => piece.ToString())));

    /// <summary>One piece for each item.</summary>
    public static Markup Each<T>(IEnumerable<T> items, Func<T, Markup> piece) => Join(items.Select(piece));

    /// <inheritdoc />
    public override string ToString() => _text ?? "";
}

/// <summary>Builds <see cref="Markup"/> out of an interpolated string.</summary>
[InterpolatedStringHandler]
public readonly struct MarkupBuilder(int literalLength, int holes)
{
    private readonly StringBuilder _text = new(literalLength + (holes * 16));

    /// <summary>A part of the literal: trusted.</summary>
    public void AppendLiteral(string literal) => _text.Append(literal);

    /// <summary>A piece that is encoded already.</summary>
    public void AppendFormatted(Markup piece) => _text.Append(piece);

    /// <summary>Text: encoded.</summary>
    public void AppendFormatted(string? value)
    {
        if (value is not null) _text.Append(HtmlEncoder.Default.Encode(value));
    }

    /// <summary>A value: its text in the invariant culture, encoded.</summary>
    public void AppendFormatted<T>(T value, string? format = null) where T : IFormattable =>
        AppendFormatted(value.ToString(format, System.Globalization.CultureInfo.InvariantCulture));

    /// <inheritdoc />
    public override string ToString() => _text.ToString();
}
