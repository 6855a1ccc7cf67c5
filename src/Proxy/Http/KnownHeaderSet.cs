using System.Runtime.CompilerServices;

namespace Lateen.Proxy.Http;

/// <summary>A set of known headers, one bit each: what a header map has, and what is taken off it in one go.</summary>
public struct KnownHeaderSet
{
    private ulong _low, _high;

    /// <summary>The set of some headers.</summary>
    public static KnownHeaderSet Of(params ReadOnlySpan<KnownHeader> headers)
    {
        KnownHeaderSet set = default;
        foreach (KnownHeader header in headers)
            set.Add(header);
        return set;
    }

    /// <summary>True where the header is in it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool Has(KnownHeader header) => ((header < (KnownHeader)64 ? _low : _high) >> (int)header & 1) != 0;

    /// <summary>True where some header is in both.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool Overlaps(in KnownHeaderSet other) => ((_low & other._low) | (_high & other._high)) != 0;

    /// <summary>The headers that are in both.</summary>
    public readonly KnownHeaderSet And(in KnownHeaderSet other) => new() { _low = _low & other._low, _high = _high & other._high };

    /// <summary>Adds a header.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(KnownHeader header)
    {
        if (header < (KnownHeader)64)
            _low |= 1ul << (int)header;
        else
            _high |= 1ul << (int)header;
    }

    /// <summary>Takes a header out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Remove(KnownHeader header)
    {
        if (header < (KnownHeader)64)
            _low &= ~(1ul << (int)header);
        else
            _high &= ~(1ul << (int)header);
    }

    /// <summary>Takes the first header out and gives it; <see cref="KnownHeader.None"/> for an empty set.</summary>
    public KnownHeader Take()
    {
        int bit = _low != 0 ? System.Numerics.BitOperations.TrailingZeroCount(_low) : _high != 0
            ? 64 + System.Numerics.BitOperations.TrailingZeroCount(_high) : 0;
        Remove((KnownHeader)bit);
        return (KnownHeader)bit;
    }
}
