using System.Buffers;

namespace Lateen.Proxy.Http;

/// <summary>Bytes that wait: a head in pieces, or a request behind one that is still being answered. Rented only while it holds
/// something.</summary>
internal struct InputHold
{
    private byte[]? _bytes;
    private int _from, _to;

    /// <summary>How many bytes wait.</summary>
    public readonly int Length => _to - _from;

    /// <summary>The bytes.</summary>
    public readonly ReadOnlySpan<byte> Span => _bytes is null ? default : _bytes.AsSpan(_from, _to - _from);

    /// <summary>Adds bytes behind the others.</summary>
    public void Append(ReadOnlySpan<byte> more)
    {
        if (_bytes is null || _bytes.Length - _to < more.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(2048, (Length * 2) + more.Length));
            Span.CopyTo(larger);
            int length = Length;
            Release();
            (_bytes, _from, _to) = (larger, 0, length);
        }
        more.CopyTo(_bytes.AsSpan(_to));
        _to += more.Length;
    }

    /// <summary>Drops bytes from the front; the buffer goes back with the last one.</summary>
    public void Drop(int count)
    {
        _from += count;
        if (_from == _to)
            Release();
    }

    /// <summary>Gives the buffer back.</summary>
    public void Release()
    {
        if (_bytes is not null)
            ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = null;
        _from = _to = 0;
    }
}
