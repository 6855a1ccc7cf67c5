// Xds: the border between the wire and the running proxy (stations 9 and 10 of a VirtualService's journey). Translators turn protobuf into
// running types, here and nowhere else: one function a message, returning the value and noting in Rejections what a proxy must not accept,
// per resource, with the path inside the message. AdsStream speaks the protocol as a state machine without sockets; ResourceStore keeps
// what was accepted, warms it and publishes to the workers. What is outside of what we serve is refused by its name and path (a NACK, or an
// error at start), never dropped in silence, above all where it decides access. Refused: generated reflection-based translation (slow to
// start, and it would accept every field), and translation on workers.
namespace Lateen.Proxy.Xds;

/// <summary>What becomes of a resource that has fields which the schema does not know (--reject-unknown-dynamic-fields and its
/// like).</summary>
public enum UnknownFieldChoice : byte
{
    /// <summary>It is accepted, and the fields are said once.</summary>
    Said,

    /// <summary>It is refused.</summary>
    Refused,

    /// <summary>It is accepted without a word.</summary>
    Ignored,
}

/// <summary>The same choice for text that is read.</summary>
internal static class UnknownFieldChoices
{
    /// <summary>What a reader of JSON and YAML does.</summary>
    public static Lateen.Api.Documents.UnknownFields ForReading(this UnknownFieldChoice choice) => choice switch
    {
        UnknownFieldChoice.Refused => Lateen.Api.Documents.UnknownFields.Error,
        UnknownFieldChoice.Ignored => Lateen.Api.Documents.UnknownFields.Ignore,
        _ => Lateen.Api.Documents.UnknownFields.Warning,
    };
}

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

    /// <summary>Fields that the schema does not know, in what decides nothing about access.</summary>
    public List<string> Unknown { get; } = [];

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

    /// <summary>Notes a field that the schema does not know.</summary>
    public void AddUnknown(string text) => Unknown.Add(_path.Count == 0 ? text : $"{Path}: {text}");

    /// <summary>What the operator chose becomes of unknown fields.</summary>
    public void JudgeUnknown(UnknownFieldChoice choice)
    {
        if (choice == UnknownFieldChoice.Refused)
            _reasons.AddRange(Unknown);
        else if (choice == UnknownFieldChoice.Said)
            Notes.AddRange(Unknown);
    }

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
