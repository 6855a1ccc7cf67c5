using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Http.One;

/// <summary>
/// Parts of a body that came in one reading, to be told as one: a body in many small chunks goes through the filters once a reading and
/// leaves in one chunk (as Envoy's does). A single part is not copied. What was gathered in front of malformed chunks is never told.
/// </summary>
internal ref struct GatheredParts
{
    [ThreadStatic]
    private static ByteBuffer? t_spare;

    private ReadOnlySpan<byte> _all;
    private ByteBuffer? _joined;

    /// <summary>What there is.</summary>
    public readonly ReadOnlySpan<byte> All => _all;

    /// <summary>One more part.</summary>
    public void Add(ReadOnlySpan<byte> part)
    {
        if (_all.IsEmpty)
        {
            _all = part;
            return;
        }
        if (_joined is null)
        {
            // Who is told may read another connection meanwhile: the buffer is this one's until it is given back.
            _joined = t_spare ?? new ByteBuffer(16 * 1024);
            t_spare = null;
            _joined.Clear();
            _joined.Append(_all);
        }
        _joined.Append(part);
        _all = _joined.Written;
    }

    /// <summary>It was told.</summary>
    public void Clear()
    {
        _all = default;
        if (_joined is not null)
            t_spare = _joined;
        _joined = null;
    }
}
