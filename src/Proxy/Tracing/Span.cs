// Tracing: what one exchange tells a collector. The tracer decides (from x-request-id, shares and the client's wishes), takes up the
// context that came, writes the one that goes on, and fills spans; a propagation knows the headers of a family (B3, W3C), a reporter the
// collector's form. Spans are pooled by worker; one that is not sampled carries ids alone. A finished span is written at once into its
// worker's bounded buffer and leaves in a side call, never on the request's way. Refused: System.Diagnostics.Activity (allocates for every
// request, sampled or not, and flows through ambient state that loops do not have).
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Tracing;

/// <summary>One span. Pooled; its texts live in one buffer.</summary>
public sealed class Span
{
    private readonly ByteBuffer _text = new(512);
    private readonly List<(int Key, int KeyLength, int Value, int ValueLength)> _tags = new(32);
    private readonly List<(long At, string Text)> _events = new(8);
    private int _name, _nameLength;

    /// <summary>High half of the trace's id; 0 for an id of 64 bits.</summary>
    public ulong TraceHigh { get; set; }

    /// <summary>Low half of the trace's id.</summary>
    public ulong TraceLow { get; set; }

    /// <summary>Its id.</summary>
    public ulong Id { get; set; }

    /// <summary>The parent's id; 0 for none.</summary>
    public ulong Parent { get; set; }

    /// <summary>It is told to a collector.</summary>
    public bool Sampled { get; set; }

    /// <summary>There is nothing to tell or send: a context came that nobody understands.</summary>
    public bool IsNull { get; set; }

    /// <summary>The context came from outside.</summary>
    public bool RemoteParent { get; set; }

    /// <summary>It has its parent's id (Zipkin's shared spans).</summary>
    public bool Shared { get; set; }

    /// <summary>The context came in the single b3 header, and leaves in it.</summary>
    public bool SingleHeader { get; set; }

    /// <summary>The caller's side of a call.</summary>
    public bool IsClient { get; set; }

    /// <summary>It failed.</summary>
    public bool IsError { get; set; }

    /// <summary>The answer tells the operation's name.</summary>
    public bool TellsOperation { get; set; }

    /// <summary>When it began, microseconds since 1970.</summary>
    public long StartedAt { get; set; }

    /// <summary>How long it took, in microseconds.</summary>
    public long Duration { get; set; }

    /// <summary>What came with the context and is needed again: W3C's tracestate, the whole of SkyWalking's header.</summary>
    public ByteBuffer State { get; } = new(0);

    /// <summary>The span of the exchange that this attempt is of; null for an exchange's own.</summary>
    public Span? Outer { get; set; }

    /// <summary>Its number among the attempts of <see cref="Outer"/>, from 1; 0 for an exchange's own.</summary>
    public int Place { get; set; }

    /// <summary>Attempts that were begun below it.</summary>
    public int Begun { get; set; }

    /// <summary>Attempts' spans that are told within it, in the collector's form.</summary>
    public ByteBuffer Nested { get; } = new(0);

    /// <summary>How many they are.</summary>
    public int NestedCount { get; set; }

    /// <summary>Its name.</summary>
    public ReadOnlySpan<byte> Name => _text.Written.Slice(_name, _nameLength);

    /// <summary>How many tags.</summary>
    public int TagCount => _tags.Count;

    /// <summary>What happened when.</summary>
    public IReadOnlyList<(long At, string Text)> Events => _events;

    /// <summary>Empty again.</summary>
    public void Clear()
    {
        _text.Clear();
        _tags.Clear();
        _events.Clear();
        State.Clear();
        Nested.Clear();
        Outer = null;
        Place = Begun = NestedCount = 0;
        _name = _nameLength = 0;
        TraceHigh = TraceLow = Id = Parent = 0;
        StartedAt = Duration = 0;
        Sampled = IsNull = RemoteParent = Shared = SingleHeader = IsClient = IsError = TellsOperation = false;
    }

    /// <summary>Gives it a name.</summary>
    public void SetName(ReadOnlySpan<byte> name) => (_name, _nameLength) = Keep(name);

    /// <summary>Adds a tag; one of the same key takes the place of the former.</summary>
    public void Tag(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (!Sampled)
            return;
        (int at, int length) = Keep(value);
        for (int i = 0; i < _tags.Count; i++)
        {
            if (!_text.Written.Slice(_tags[i].Key, _tags[i].KeyLength).SequenceEqual(key))
                continue;
            _tags[i] = (_tags[i].Key, _tags[i].KeyLength, at, length);
            return;
        }
        (int keyAt, int keyLength) = Keep(key);
        _tags.Add((keyAt, keyLength, at, length));
    }

    /// <summary>Adds a tag with a number.</summary>
    public void Tag(ReadOnlySpan<byte> key, long value)
    {
        Span<byte> text = stackalloc byte[20];
        System.Buffers.Text.Utf8Formatter.TryFormat(value, text, out int n);
        Tag(key, text[..n]);
    }

    /// <summary>A tag by its number.</summary>
    public void TagAt(int index, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value)
    {
        (int keyAt, int keyLength, int at, int length) = _tags[index];
        key = _text.Written.Slice(keyAt, keyLength);
        value = _text.Written.Slice(at, length);
    }

    /// <summary>Something happened, at microseconds since 1970.</summary>
    public void Event(long at, string text) => _events.Add((at, text));

    private (int At, int Length) Keep(ReadOnlySpan<byte> text)
    {
        int at = _text.Length;
        _text.Append(text);
        return (at, text.Length);
    }
}
