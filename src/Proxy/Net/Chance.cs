namespace Lateen.Proxy.Net;

/// <summary>A worker's seeded source of chance (xoshiro256**, public domain algorithm of Blackman and Vigna): the same seed gives the same
/// mesh.</summary>
public sealed class Chance
{
    private ulong _a, _b, _c, _d;

    /// <summary>Starts from a seed.</summary>
    public Chance(ulong seed)
    {
        // splitmix64 spreads a small seed over the state, which must not be all zero.
        ulong Next()
        {
            ulong z = seed += 0x9e3779b97f4a7c15;
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
            z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
            return z ^ (z >> 31);
        }
        _a = Next();
        _b = Next();
        _c = Next();
        _d = Next();
    }

    /// <summary>64 random bits.</summary>
    public ulong NextULong()
    {
        ulong result = ulong.RotateLeft(_b * 5, 7) * 9, t = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= t;
        _d = ulong.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>A number from 0 to <paramref name="bound"/> - 1.</summary>
    public uint Below(uint bound) => (uint)Math.BigMul(NextULong(), bound, out _);

    /// <summary>True in <paramref name="numerator"/> of <paramref name="denominator"/> cases.</summary>
    public bool Hits(uint numerator, uint denominator) => numerator >= denominator || (numerator != 0 && Below(denominator) < numerator);
}
