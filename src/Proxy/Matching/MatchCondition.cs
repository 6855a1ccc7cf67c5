using Lateen.Proxy.Cel;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Matching;

/// <summary>How a fact reads as text.</summary>
public abstract class MatchInput<TFacts>
{
    /// <summary>Adds the text; false where there is none.</summary>
    public abstract bool Read(TFacts facts, ByteBuffer text);

    /// <summary>The address itself, of an input that is one; else none.</summary>
    public virtual Address AddressOf(TFacts facts) => default;
}

/// <summary>The buffer of a thread in which inputs are read: each question is done with it before the next is asked.</summary>
internal static class MatchText
{
    [ThreadStatic]
    private static ByteBuffer? t_text;

    /// <summary>The buffer, empty.</summary>
    public static ByteBuffer Empty()
    {
        ByteBuffer text = t_text ??= new ByteBuffer(512);
        text.Clear();
        return text;
    }
}

/// <summary>A condition: a test of an input, or several conditions together.</summary>
public abstract class MatchCondition<TFacts>
{
    /// <summary>True where it holds.</summary>
    public abstract bool Holds(TFacts facts);
}

/// <summary>A test of a text; an absent one satisfies none.</summary>
public sealed class TextCondition<TFacts>(MatchInput<TFacts> input, StringMatch match) : MatchCondition<TFacts>
{
    /// <inheritdoc/>
    public override bool Holds(TFacts facts)
    {
        ByteBuffer text = MatchText.Empty();
        return input.Read(facts, text) && match.Matches(text.Written);
    }
}

/// <summary>An address that is in one of some ranges; an input that is text is read as an address.</summary>
public sealed class AddressCondition<TFacts>(MatchInput<TFacts> input, IReadOnlyList<Prefix> ranges) : MatchCondition<TFacts>
{
    private readonly Prefix[] _ranges = [.. ranges];

    /// <inheritdoc/>
    public override bool Holds(TFacts facts)
    {
        Address address = input.AddressOf(facts);
        if (!address.IsIp && !Parsed(facts, out address))
            return false;
        foreach (Prefix range in _ranges)
        {
            if (range.Contains(address))
                return true;
        }
        return false;
    }

    private bool Parsed(TFacts facts, out Address address)
    {
        address = default;
        ByteBuffer text = MatchText.Empty();
        if (!input.Read(facts, text) || text.Length > 64)
            return false;
        Span<char> chars = stackalloc char[text.Length];
        System.Text.Encoding.Latin1.GetChars(text.Written, chars);
        return Address.TryParse(chars, 0, out address);
    }
}

/// <summary>All of several, or one of several.</summary>
public sealed class SetCondition<TFacts>(IReadOnlyList<MatchCondition<TFacts>> parts, bool all) : MatchCondition<TFacts>
{
    private readonly MatchCondition<TFacts>[] _parts = [.. parts];

    /// <inheritdoc/>
    public override bool Holds(TFacts facts)
    {
        foreach (MatchCondition<TFacts> part in _parts)
        {
            if (part.Holds(facts) != all)
                return !all;
        }
        return all;
    }
}

/// <summary>The contrary.</summary>
public sealed class NotCondition<TFacts>(MatchCondition<TFacts> part) : MatchCondition<TFacts>
{
    /// <inheritdoc/>
    public override bool Holds(TFacts facts) => !part.Holds(facts);
}

/// <summary>An expression over a stream.</summary>
public sealed class CelCondition(CelProgram program) : MatchCondition<IStreamFacts>
{
    /// <inheritdoc/>
    public override bool Holds(IStreamFacts facts) => program.Matches(facts);
}
