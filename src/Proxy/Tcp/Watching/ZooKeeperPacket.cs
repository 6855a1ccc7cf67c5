using System.Buffers.Binary;

namespace Lateen.Proxy.Tcp.Watching;

/// <summary>ZooKeeper's operations by their numbers (org.apache.zookeeper.ZooDefs.OpCode).</summary>
public enum ZooKeeperOp
{
    Connect = 0,
    Create = 1,
    Delete = 2,
    Exists = 3,
    GetData = 4,
    SetData = 5,
    GetAcl = 6,
    SetAcl = 7,
    GetChildren = 8,
    Sync = 9,
    Ping = 11,
    GetChildren2 = 12,
    Check = 13,
    Multi = 14,
    Create2 = 15,
    Reconfig = 16,
    CheckWatches = 17,
    RemoveWatches = 18,
    CreateContainer = 19,
    CreateTtl = 21,
    Close = -11,
    SetAuth = 100,
    SetWatches = 101,
    GetEphemerals = 103,
    GetAllChildrenNumber = 104,
    SetWatches2 = 105,
    AddWatch = 106,
}

/// <summary>Reads the fields of a packet; once it was too short, everything reads as nothing.</summary>
internal ref struct ZooKeeperPacket(ReadOnlySpan<byte> content)
{
    private ReadOnlySpan<byte> _rest = content;

    /// <summary>Something was asked for that is not there.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Bytes not yet read.</summary>
    public readonly int Left => _rest.Length;

    /// <summary>A number.</summary>
    public int Int() => Take(4) is { Length: 4 } bytes ? BinaryPrimitives.ReadInt32BigEndian(bytes) : 0;

    /// <summary>A yes or no.</summary>
    public bool Bool() => Take(1) is { Length: 1 } bytes && bytes[0] != 0;

    /// <summary>A text, or bytes, with their length in front; a length below zero stands for nothing.</summary>
    public ReadOnlySpan<byte> Text()
    {
        int length = Int();
        return length <= 0 ? default : Take(length);
    }

    /// <summary>Passes over bytes.</summary>
    public void Skip(int count) => Take(count);

    /// <summary>Passes over a list of who may do what.</summary>
    public void SkipAcls()
    {
        for (int count = Int(); count > 0 && !IsBroken; count--)
        {
            Skip(4);
            Text();
            Text();
        }
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length)
        {
            IsBroken = true;
            _rest = default;
            return default;
        }
        ReadOnlySpan<byte> taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
