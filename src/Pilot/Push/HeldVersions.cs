using System.Text;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Api.Schemas.Constraints;

namespace Lateen.Pilot.Push;

/// <summary>Versions by name of what a proxy that comes back says it holds of a type.</summary>
/// <remarks>
/// Read out of the bytes of its request, and good for as long as these are: a thousand proxies that come back at once name everything that
/// they hold, nearly all of which is what they are to have, so that nothing of it must be remembered. As a map of texts it would take five
/// times the bytes.
/// </remarks>
public readonly struct HeldVersions
{
    /// <summary>DeltaDiscoveryRequest.initial_resource_versions, whose entries have name and version as fields 1 and 2.</summary>
    internal const int Field = 5;

    private readonly ReadOnlyMemory<byte> _request;

    private HeldVersions(ReadOnlyMemory<byte> request) => _request = request;

    /// <summary>It holds nothing.</summary>
    public bool IsEmpty => _request.IsEmpty;

    /// <summary>What a request says.</summary>
    public static HeldVersions Of(DeltaDiscoveryRequest request)
    {
        if (request.InitialResourceVersions.Count == 0) return default;
        var said = new DeltaDiscoveryRequest();
        said.InitialResourceVersions.Add(request.InitialResourceVersions);
        return new HeldVersions(said.ToByteArray());
    }

    /// <summary>What the bytes of a request say, which has at least one.</summary>
    internal static HeldVersions In(ReadOnlyMemory<byte> request) => new(request);

    /// <summary>One after another; of a name that occurs twice the last counts.</summary>
    /// <param name="room">For names; longer ones get room of their own.</param>
    public Entries Read(Span<char> room) => new(_request.Span, room);

    /// <summary>Walks them.</summary>
    public ref struct Entries(ReadOnlySpan<byte> request, Span<char> room)
    {
        private readonly Span<char> _room = room;
        private WireFields _fields = new(request);

        /// <summary>Name of the resource.</summary>
        public ReadOnlySpan<char> Name { get; private set; }

        /// <summary>Its version, a text.</summary>
        public ReadOnlySpan<byte> Version { get; private set; }

        /// <summary>Goes to the next one.</summary>
        public bool Next()
        {
            while (_fields.Next())
            {
                if (_fields.Number != Field || !_fields.IsBytes) continue;
                Name = default;
                Version = default;
                for (var entry = new WireFields(_fields.Bytes); entry.Next();)
                {
                    if (entry.Number == 1) Name = Text(entry.Bytes);
                    else if (entry.Number == 2) Version = entry.Bytes;
                }
                return true;
            }
            return false;
        }

        private readonly ReadOnlySpan<char> Text(ReadOnlySpan<byte> bytes) =>
            bytes.Length <= _room.Length ? _room[..Encoding.UTF8.GetChars(bytes, _room)] : Encoding.UTF8.GetString(bytes);
    }
}
