using System.Buffers;
using System.Runtime.CompilerServices;

namespace Lateen.Proxy.Routing;

/// <summary>
/// Finds a virtual host by name: exact, then the longest suffix wildcard (<c>*.foo</c>), then the longest prefix wildcard (<c>foo.*</c>),
/// then <c>*</c>
/// (envoy.config.route.v3.VirtualHost domains). Hashed over lower-cased bytes; a lookup allocates nothing.
/// </summary>
public sealed class HostTable<T> where T : class
{
    private readonly Dictionary<string, T> _exact = new(StringComparer.Ordinal);
    private readonly Dictionary<string, T> _suffixes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, T> _prefixes = new(StringComparer.Ordinal);
    private int[] _suffixLengths = [], _prefixLengths = [];

    private const int LengthMax = 512;

    private bool IsOneForAll => _exact.Count == 0 && _suffixLengths.Length == 0 && _prefixLengths.Length == 0;

    /// <summary>The one for <c>*</c>.</summary>
    public T? Any { get; private set; }

    /// <summary>Adds a domain; false where it is there already.</summary>
    public bool TryAdd(string domain, T value)
    {
        string name = domain.ToLowerInvariant();
        if (name == "*")
        {
            bool first = Any is null;
            Any ??= value;
            return first;
        }
        if (name.StartsWith('*'))
            return Add(_suffixes, name[1..], value, ref _suffixLengths);
        if (name.EndsWith('*'))
            return Add(_prefixes, name[..^1], value, ref _prefixLengths);
        return _exact.TryAdd(name, value);
    }

    private static bool Add(Dictionary<string, T> table, string part, T value, ref int[] lengths)
    {
        if (!table.TryAdd(part, value))
            return false;
        lengths = [.. lengths.Append(part.Length).Distinct().OrderDescending()];
        return true;
    }

    /// <summary>The value of the most specific domain that matches; null where none does.</summary>
    [SkipLocalsInit]
    public T? Find(ReadOnlySpan<byte> host)
    {
        if (host.Length > LengthMax || IsOneForAll)
            return Any;
        Span<char> name = stackalloc char[LengthMax];
        name = name[..host.Length];
        if (System.Text.Ascii.ToLower(host, name, out int lowered) != OperationStatus.Done)
        {
            for (; lowered < host.Length; lowered++)
                name[lowered] = (char)Text.Lower(host[lowered]);
        }
        if (_exact.Count > 0 && _exact.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out T? found))
            return found;
        // A wildcard stands for at least one character.
        foreach (int length in _suffixLengths)
        {
            if (length < name.Length && _suffixes.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name[^length..], out found))
                return found;
        }
        foreach (int length in _prefixLengths)
        {
            if (length < name.Length && _prefixes.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name[..length], out found))
                return found;
        }
        return Any;
    }
}
