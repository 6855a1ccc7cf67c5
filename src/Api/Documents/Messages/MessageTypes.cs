using System.Collections.Concurrent;
using System.Reflection;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Api.Documents;

/// <summary>
/// Message types by their full protobuf name or type URL. A name is turned into the name of its C# class by protoc's own rule, so nothing
/// is registered: a descriptor is parsed when its type is first asked for, and start-up costs nothing.
/// A trimmed program must root the assembly Lateen.Schema, since types are found by name.
/// </summary>
public static class MessageTypes
{
    /// <summary>What stands before the name in a type URL, unless another authority was written.</summary>
    public const string UrlPrefix = "type.googleapis.com/";

    private static readonly Assembly Schema = typeof(Envoy.Config.Core.V3.Address).Assembly;
    private static readonly Assembly WellKnown = typeof(Any).Assembly;
    private static readonly ConcurrentDictionary<string, MessageDescriptor?> ByName = new();

    /// <summary>The descriptor of a full name such as <c>envoy.config.core.v3.Address</c>; null when there is no such message.</summary>
    public static MessageDescriptor? Find(string fullName) => ByName.GetOrAdd(fullName, Load);

    /// <summary>The descriptor of a type URL: whatever follows its last slash.</summary>
    public static MessageDescriptor? FindByUrl(string typeUrl) => Find(NameOf(typeUrl));

    public static string UrlOf(MessageDescriptor descriptor) => UrlPrefix + descriptor.FullName;

    public static string NameOf(string typeUrl) => typeUrl[(typeUrl.LastIndexOf('/') + 1)..];

    /// <summary>The message inside, or null when its type is unknown or its bytes are malformed.</summary>
    public static IMessage? Unpack(Any any)
    {
        try
        {
            return FindByUrl(any.TypeUrl)?.Parser.ParseFrom(any.Value);
        }
        catch (Exception e) when (BrokenBytes.Shown(e))
        {
            return null;
        }
    }

    private static MessageDescriptor? Load(string fullName)
    {
        // What is no name at all must not reach reflection, which has a syntax of its own for brackets, commas and the like.
        if (fullName.Length is 0 or > 512
            || fullName.Split('.').Any(part => part.Length == 0 || !part.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))) return null;
        var wellKnown = fullName.StartsWith("google.protobuf.", StringComparison.Ordinal);
        var type = wellKnown
            ? WellKnown.GetType("Google.Protobuf.WellKnownTypes." + fullName["google.protobuf.".Length..])
            : Schema.GetType(ClassNameOf(fullName));
        var descriptor = type is null ? null : DescriptorOf(type);
        return descriptor?.FullName == fullName ? descriptor : null;
    }

    private static MessageDescriptor? DescriptorOf(System.Type type) =>
        type.GetProperty("Descriptor", BindingFlags.Public | BindingFlags.Static)?.GetValue(null) as MessageDescriptor;

    /// <summary>
    /// <c>envoy.config.core.v3.Node.Inner</c> → <c>Envoy.Config.Core.V3.Node+Types+Inner</c>. Packages are written in lower case, messages
    /// begin with a capital: that tells where the package ends.
    /// </summary>
    private static string ClassNameOf(string fullName)
    {
        var name = new StringBuilder(fullName.Length + 16);
        var inMessage = false;
        foreach (var segment in fullName.Split('.'))
        {
            if (name.Length > 0) name.Append(inMessage ? "+Types+" : ".");
            inMessage |= segment.Length > 0 && char.IsAsciiLetterUpper(segment[0]);
            AppendPascal(name, segment, inMessage);
        }

        return name.ToString();
    }

    private static void AppendPascal(StringBuilder name, string segment, bool verbatim)
    {
        var capital = true;
        foreach (var c in segment)
        {
            if (verbatim)
            {
                name.Append(c);
                continue;
            }

            if (char.IsAsciiLetterOrDigit(c)) name.Append(capital ? char.ToUpperInvariant(c) : c);
            capital = !char.IsAsciiLetter(c);
        }
    }
}
