using System.Diagnostics.CodeAnalysis;

namespace Lateen.Proxy.Http;

/// <summary>The spelling that names had on the wire, for peers that (against RFC 9110 5.1) depend on it. Filled by the HTTP/1 codec when
/// asked to.</summary>
[SuppressMessage("Naming", "CA1711", Justification = "the field's word")]
public sealed class HeaderCase
{
    private readonly Dictionary<string, byte[]> _spelling = [];

    /// <summary>The words that followed the status code, where they are to be passed on; else empty.</summary>
    public byte[] Reason { get; set; } = [];

    /// <summary>Remembers a name as it came; the first spelling of a name stays.</summary>
    public void Remember(ReadOnlySpan<byte> asItCame) =>
        _spelling.TryAdd(System.Text.Encoding.Latin1.GetString(asItCame).ToLowerInvariant(), asItCame.ToArray());

    /// <summary>The spelling of a lower-case name; the name itself where none is known.</summary>
    public ReadOnlySpan<byte> Spell(ReadOnlySpan<byte> name) =>
        _spelling.TryGetValue(System.Text.Encoding.Latin1.GetString(name), out byte[]? spelling) ? spelling : name;
}
