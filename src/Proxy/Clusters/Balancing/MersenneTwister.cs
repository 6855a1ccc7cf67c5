namespace Lateen.Proxy.Clusters.Balancing;

/// <summary>MT19937 (Matsumoto, Nishimura): the sequence that other programs draw from the same seed. Not for chance: for that there is
/// <see cref="Net.Chance"/>.</summary>
internal ref struct MersenneTwister
{
    /// <summary>Words of state.</summary>
    public const int StateLength = 624;

    private const int Middle = 397;
    private const uint Upper = 0x8000_0000, Lower = 0x7fff_ffff, Twist = 0x9908_b0df;

    private readonly Span<uint> _state;
    private int _at;

    /// <summary>Begins with a seed, in <see cref="StateLength"/> words of the caller.</summary>
    public MersenneTwister(uint seed, Span<uint> state)
    {
        _state = state;
        state[0] = seed;
        for (int i = 1; i < StateLength; i++)
            state[i] = (1_812_433_253 * (state[i - 1] ^ (state[i - 1] >> 30))) + (uint)i;
        _at = StateLength;
    }

    /// <summary>The next number.</summary>
    public uint Next()
    {
        if (_at == StateLength)
            Renew();
        uint y = _state[_at++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        return y ^ (y >> 18);
    }

    /// <summary>A number below <paramref name="bound"/>: the range is cut into as many equal pieces, what is left over is drawn
    /// again.</summary>
    public uint Below(uint bound)
    {
        ulong piece = (1UL << 32) / bound;
        while (true)
        {
            ulong x = Next() / piece;
            if (x < bound)
                return (uint)x;
        }
    }

    private void Renew()
    {
        for (int i = 0; i < StateLength; i++)
        {
            uint y = (_state[i] & Upper) | (_state[(i + 1) % StateLength] & Lower);
            _state[i] = _state[(i + Middle) % StateLength] ^ (y >> 1) ^ ((y & 1) == 0 ? 0 : Twist);
        }
        _at = 0;
    }
}
