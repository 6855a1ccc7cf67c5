// Xds: the border between the wire and the running proxy (stations 9 and 10 of a VirtualService's journey). Translators turn protobuf into running types, here and nowhere else: one
// function a message, returning the value and noting in Rejections what a proxy must not accept, per resource, with the path inside the message. AdsStream speaks the
// protocol as a state machine without sockets; ResourceStore keeps what was accepted, warms it and publishes to the workers. What is outside of what we serve is refused by its name
// and path (a NACK, or an error at start), never dropped in silence, above all where it decides access. Refused: generated reflection-based translation (slow to start, and it would accept
// every field), and translation on workers.
namespace Lateen.Proxy.Xds;

/// <summary>What is wrong with one resource: reasons with the path of the field, in the order found.</summary>
public sealed class Rejections
{
    private readonly List<string> _reasons = [];
    private readonly Stack<string> _path = new();

    /// <summary>True where nothing was refused.</summary>
    public bool None => _reasons.Count == 0;

    /// <summary>The reasons.</summary>
    public IReadOnlyList<string> Reasons => _reasons;

    /// <summary>Settings that are accepted but have no effect here; said once in the log and on the admin page.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>Enters a field; leave by disposing.</summary>
    public Scope In(string field)
    {
        _path.Push(field);
        return new Scope(this);
    }

    /// <summary>Notes a reason at the current path.</summary>
    public void Add(string reason) => _reasons.Add(_path.Count == 0 ? reason : $"{Path}: {reason}");

    /// <summary>Notes a setting without effect at the current path.</summary>
    public void Note(string text) => Notes.Add(_path.Count == 0 ? text : $"{Path}: {text}");

    private string Path => string.Join('.', _path.Reverse()).Replace(".[", "[", StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => string.Join("; ", _reasons);

    /// <summary>Leaves the field.</summary>
    public readonly struct Scope(Rejections owner) : IDisposable
    {
        /// <inheritdoc/>
        public void Dispose() => owner._path.Pop();
    }
}
