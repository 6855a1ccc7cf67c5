using System.Runtime.InteropServices;
using Google.Protobuf;

namespace Lateen.Pilot.Generation;

/// <summary>Resources by name and contents: what was made before with the same bytes is the same object again, without being hashed and
/// checked anew.</summary>
/// <remarks>For resources that are made in crowds, of which few differ from the last time. Keeps what the current and the previous snapshot
/// used.</remarks>
internal sealed class WirePool
{
    private Dictionary<(string Name, int Hash), WireResource> _current = [], _previous = [];
    private byte[] _scratch = new byte[4096];

    /// <summary>The resource of a message.</summary>
    public WireResource Of(string name, IMessage message)
    {
        var length = message.CalculateSize();
        if (_scratch.Length < length) _scratch = new byte[length * 2];
        var bytes = _scratch.AsSpan(0, length);
        message.WriteTo(bytes);
        var key = (name, Hash(bytes));
        if (_current.TryGetValue(key, out var known) && known.Value.SequenceEqual(bytes)) return known;
        if (!_previous.TryGetValue(key, out known) || !known.Value.SequenceEqual(bytes)) known = WireResource.Of(name, message);
        return _current[key] = known;
    }

    /// <summary>A new snapshot begins.</summary>
    public void Turn()
    {
        // Nothing may be asked for under a snapshot that changes nothing here; what was made before stays at hand then.
        if (_current.Count == 0) return;
        _previous = _current;
        _current = new(_previous.Count);
    }

    private static int Hash(ReadOnlySpan<byte> bytes)
    {
        var even = bytes.Length & ~1;
        return string.GetHashCode(MemoryMarshal.Cast<byte, char>(bytes[..even])) ^ (even < bytes.Length ? bytes[^1] << 16 : 0);
    }
}
