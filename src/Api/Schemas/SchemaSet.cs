// Schemas: what messages there are and which fields they have, from the descriptor set that is compiled into Lateen.Schema.
//
// The generated classes know this too, but asking one of them (its Descriptor) builds the descriptors of everything that it refers to, with
// an accessor for each field that is compiled while it waits: a third of a second and 40 MB for Envoy's bootstrap. A sidecar has neither.
// So configuration is read by these shapes, which are looked up in place: the index is one pass over 460 KB, a shape is read when it is
// first asked for, and no generated descriptor runs. What must have them (writing a message as text, patching one by field) still does.
//
// Refused: a registry of types that each assembly fills at start (a list to keep true, and paid by those who need three of them).
using System.Collections.Concurrent;
using System.Text;
using Google.Protobuf;

namespace Lateen.Api.Schemas;

/// <summary>All message types and enumerations of the wire, by name. Safe for every thread.</summary>
public static class SchemaSet
{
    private static readonly Lazy<SchemaIndex> Index = new(() => new SchemaIndex(DescriptorBytes.OfSchema()));
    private static readonly ConcurrentDictionary<int, MessageShape> Messages = new();
    private static readonly ConcurrentDictionary<int, EnumShape> Enums = new();
    private static readonly ConcurrentDictionary<Type, MessageShape> ByType = new();

    /// <summary>The message of a full name such as <c>envoy.config.core.v3.Address</c>; null when there is none.</summary>
    public static MessageShape? Find(string fullName)
    {
        int place = Index.Value.Find(fullName);
        return place < 0 || Index.Value.IsEnum(place) ? null : Message(place) is { } shape && shape.FullName == fullName ? shape : null;
    }

    /// <summary>The message that a generated class stands for.</summary>
    /// <exception cref="ArgumentException">The type is no generated message of Lateen.Schema or of protobuf's own.</exception>
    public static MessageShape Of(Type type) => ByType.GetOrAdd(type, static t =>
        Index.Value.Find(t.FullName ?? "") is var place and >= 0
            ? Message(place) : throw new ArgumentException($"{t} is no message of the schema", nameof(type)));

    /// <summary>The full protobuf name of a message, without running its descriptor.</summary>
    public static string NameOf(IMessage message) => Of(message.GetType()).FullName;

    /// <summary>The full names of all messages, for suggestions after a mistake and for tests.</summary>
    public static IEnumerable<string> Names() =>
        Enumerable.Range(0, Index.Value.Count).Where(p => !Index.Value.IsEnum(p)).Select(Message).Where(m => !m.IsMapEntry)
            .Select(m => m.FullName);

    internal static MessageShape? MessageAt(string reference) => Index.Value.Find(reference) is var place and >= 0 ? Message(place) : null;

    internal static EnumShape? EnumAt(string reference) =>
        Index.Value.Find(reference) is var place and >= 0
            ? Enums.GetOrAdd(place, static p => new EnumShape(Index.Value.NameOf(p), Index.Value.BytesOf(p))) : null;

    private static MessageShape Message(int place) =>
        Messages.GetOrAdd(place, static p => new MessageShape(Index.Value.NameOf(p), Index.Value.IsExplicit(p), Index.Value.BytesOf(p)));
}
