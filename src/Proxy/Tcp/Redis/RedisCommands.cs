using System.Collections.Frozen;

namespace Lateen.Proxy.Tcp.Redis;

/// <summary>How a command finds its host.</summary>
public enum RedisCommandKind : byte
{
    Unknown,

    /// <summary>By its first word behind the name.</summary>
    Simple,

    /// <summary>By its first key: the fourth word.</summary>
    Script,

    /// <summary>Each key by itself; the numbers that come back are added.</summary>
    Sum,

    /// <summary>Each key by itself; what comes back is listed.</summary>
    Get,

    /// <summary>Each pair by itself.</summary>
    Set,

    /// <summary>The proxy answers.</summary>
    Local,
}

/// <summary>The commands that are served.</summary>
public static class RedisCommands
{
    private const string Simple =
        "append bitcount bitfield bitfield_ro bitpos copy decr decrby dump expire expireat geoadd geodist geohash geopos georadius_ro "
        + "georadiusbymember_ro geosearch get getbit getdel getex getrange getset "
        + "hdel hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hrandfield hscan hset hsetnx hstrlen hvals incr incrby "
            + "incrbyfloat lindex linsert llen lmove lpop lpos lpush lpushx lrange lrem "
        + "lset ltrim persist pexpire pexpireat pfadd pfcount pfmerge psetex pttl publish rename renamenx restore rpop rpoplpush rpush "
            + "rpushx sadd scard sdiff sdiffstore set setbit setex setnx setrange sinter "
        + "sinterstore sismember smembers smismember smove sort sort_ro spop srandmember srem sscan strlen substr sunion sunionstore "
            + "ttl type xack xadd xautoclaim xclaim xdel xlen xpending xrange xrevrange xtrim "
        + "zadd zcard zcount zincrby zinterstore zlexcount zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrank "
            + "zrem zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex "
        + "zrevrangebyscore zrevrank zscan zscore zunionstore bf.add bf.card bf.exists bf.info bf.insert bf.loadchunk bf.madd "
            + "bf.mexists bf.reserve bf.scandump";

    private static readonly FrozenDictionary<string, RedisCommandKind> Kinds = Simple.Split(' ')
        .Select(n => KeyValuePair.Create(n, RedisCommandKind.Simple))
        .Concat(Of("eval evalsha", RedisCommandKind.Script)).Concat(Of("del exists touch unlink", RedisCommandKind.Sum))
        .Concat(Of("mget", RedisCommandKind.Get))
        .Concat(Of("mset", RedisCommandKind.Set)).Concat(Of("auth ping echo time quit", RedisCommandKind.Local))
        .ToFrozenDictionary(StringComparer.Ordinal);

    private static IEnumerable<KeyValuePair<string, RedisCommandKind>> Of(string names, RedisCommandKind kind) =>
        names.Split(' ').Select(n => KeyValuePair.Create(n, kind));

    /// <summary>The kind of a command, in lower case.</summary>
    public static RedisCommandKind Find(string name) => Kinds.GetValueOrDefault(name);
}
