using System.Security.Cryptography;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Api.Schemas;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Pilot.Generation;

/// <summary>One xDS resource, serialized once and shared by all who get it.</summary>
public sealed class WireResource
{
    private Resource? _delivery;

    private WireResource(string name, IReadOnlyList<string> aliases, Any body, string version, IMessage message)
    {
        Name = name;
        Aliases = aliases;
        Body = body;
        Version = version;
        Message = message;
    }

    /// <summary>Resource name.</summary>
    public string Name { get; }

    /// <summary>Other names by which it can be asked for.</summary>
    public IReadOnlyList<string> Aliases { get; }

    /// <summary>The serialized message with its type.</summary>
    public Any Body { get; }

    /// <summary>Hash of the bytes: equal bytes have equal versions, also after a restart and on another replica.</summary>
    public string Version { get; }

    /// <summary>The resource as an incremental response carries it; shared by all responses.</summary>
    public Resource Delivery => _delivery ??= new Resource { Name = Name, Aliases = { Aliases }, Version = Version, Resource_ = Body };

    /// <summary>The message itself; not to be changed any more.</summary>
    public IMessage Message { get; }

    /// <summary>Serializes <paramref name="message"/>, which must not change afterwards.</summary>
    public static WireResource Of(string name, IMessage message) => Of(name, message, []);

    /// <summary>The same for a resource with further names.</summary>
    public static WireResource Of(string name, IMessage message, IEnumerable<string> aliases)
    {
        var bytes = message.ToByteArray();
        var hash = SHA256.HashData(bytes);
        // 64 bits of the hash: a collision between two successive versions of one name is what would hurt, not one among all.
        var version = Convert.ToHexStringLower(hash.AsSpan(0, 8));
        var body = new Any { TypeUrl = TypeUrls.Prefix + SchemaSet.NameOf(message), Value = UnsafeByteOperations.UnsafeWrap(bytes) };
        return new WireResource(name, [.. aliases], body, version, message);
    }
}
