// Balancing (station 8): which host gets a request. Pure on the published hosts and a worker's small state (positions, schedules); chance
// comes from the worker's source. The algorithms give Envoy's results for the same hosts and hashes, since a mesh is migrated proxy by
// proxy and a ring must agree with its neighbours. Tables of ring hash and maglev are built once for a picture of the hosts and shared by
// all workers. Nothing here allocates for a pick.
using System.Buffers.Binary;
using System.Numerics;

namespace Lateen.Proxy.Clusters.Balancing;

/// <summary>The hash functions of consistent hashing: XXH64 (Collet) and MurmurHash64A (Appleby).</summary>
public static class Hashing
{
    private const ulong P1 = 0x9E3779B185EBCA87, P2 = 0xC2B2AE3D27D4EB4F, P3 = 0x165667B19E3779F9, P4 = 0x85EBCA77C2B2AE63,
        P5 = 0x27D4EB2F165667C5;

    /// <summary>The seed of libstdc++'s string hash, which Envoy's Murmur option keeps.</summary>
    public const ulong StandardSeed = 0xc70f6907;

    /// <summary>XXH64.</summary>
    public static ulong XxHash64(ReadOnlySpan<byte> data, ulong seed = 0)
    {
        int length = data.Length;
        ulong hash;
        if (length >= 32)
        {
            ulong a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
            for (; data.Length >= 32; data = data[32..])
            {
                a = Round(a, Read64(data));
                b = Round(b, Read64(data[8..]));
                c = Round(c, Read64(data[16..]));
                d = Round(d, Read64(data[24..]));
            }
            hash = BitOperations.RotateLeft(a, 1) + BitOperations.RotateLeft(b, 7) + BitOperations.RotateLeft(c, 12)
                + BitOperations.RotateLeft(d, 18);
            hash = Merge(Merge(Merge(Merge(hash, a), b), c), d);
        }
        else
        {
            hash = seed + P5;
        }
        hash += (ulong)length;
        for (; data.Length >= 8; data = data[8..])
            hash = BitOperations.RotateLeft(hash ^ Round(0, Read64(data)), 27) * P1 + P4;
        if (data.Length >= 4)
        {
            hash = BitOperations.RotateLeft(hash ^ BinaryPrimitives.ReadUInt32LittleEndian(data) * P1, 23) * P2 + P3;
            data = data[4..];
        }
        foreach (byte b in data)
            hash = BitOperations.RotateLeft(hash ^ b * P5, 11) * P1;
        hash = (hash ^ hash >> 33) * P2;
        hash = (hash ^ hash >> 29) * P3;
        return hash ^ hash >> 32;
    }

    /// <summary>MurmurHash64A.</summary>
    public static ulong Murmur64(ReadOnlySpan<byte> data, ulong seed = StandardSeed)
    {
        const ulong M = 0xc6a4a7935bd1e995;
        ulong hash = seed ^ (ulong)data.Length * M;
        for (; data.Length >= 8; data = data[8..])
        {
            ulong k = Read64(data) * M;
            k = (k ^ k >> 47) * M;
            hash = (hash ^ k) * M;
        }
        if (!data.IsEmpty)
        {
            for (int i = data.Length - 1; i >= 0; i--)
                hash ^= (ulong)data[i] << (8 * i);
            hash *= M;
        }
        hash = (hash ^ hash >> 47) * M;
        return hash ^ hash >> 47;
    }

    private static ulong Read64(ReadOnlySpan<byte> data) => BinaryPrimitives.ReadUInt64LittleEndian(data);

    private static ulong Round(ulong acc, ulong input) => BitOperations.RotateLeft(acc + input * P2, 31) * P1;

    private static ulong Merge(ulong hash, ulong acc) => (hash ^ Round(0, acc)) * P1 + P4;
}
