using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;

namespace Lateen.Proxy.Xds.Admin;

/// <summary>Takes out of messages what a reader did not ask for (field masks), and what no reader may see (keys, passwords). Looks into
/// messages that are packed into Any.</summary>
internal static class MessageTrim
{
    private const string Hidden = "[redacted]";

    // Fields that Envoy marks as sensitive, by the message they stand in.
    private static readonly Dictionary<string, HashSet<string>> Sensitive = new(StringComparer.Ordinal)
    {
        ["envoy.extensions.transport_sockets.tls.v3.TlsCertificate"] = ["private_key", "password", "pkcs12"],
        ["envoy.extensions.transport_sockets.tls.v3.GenericSecret"] = ["secret", "secrets"],
        ["envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys"] = ["keys"],
        ["envoy.extensions.transport_sockets.tls.v3.PrivateKeyProvider"] = ["typed_config"],
        ["envoy.extensions.filters.network.redis_proxy.v3.RedisProxy"] = ["downstream_auth_password", "downstream_auth_passwords"],
        ["envoy.extensions.filters.network.redis_proxy.v3.RedisProtocolOptions"] = ["auth_password"],
        ["envoy.extensions.filters.http.oauth2.v3.OAuth2Credentials"] = ["hmac_secret", "token_secret"],
        ["envoy.extensions.filters.http.basic_auth.v3.BasicAuth"] = ["users"],
        ["envoy.config.core.v3.GrpcService.GoogleGrpc.SslCredentials"] = ["private_key"],
    };

    /// <summary>Keeps the fields of the mask's paths; false where a path names no field.</summary>
    public static bool Keep(IMessage message, IReadOnlyList<string> paths)
    {
        ILookup<string, string> byField = paths.ToLookup(p => p.Split('.')[0],
            p => p.Contains('.', StringComparison.Ordinal) ? p[(p.IndexOf('.', StringComparison.Ordinal) + 1)..] : "");
        if (byField.Any(g => message.Descriptor.FindFieldByName(g.Key) is null))
            return false;
        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder())
        {
            if (!byField.Contains(field.Name))
            {
                field.Accessor.Clear(message);
                continue;
            }
            List<string> inner = [.. byField[field.Name]];
            if (inner.Contains("") || field.IsRepeated || field.FieldType != FieldType.Message
                || field.Accessor.GetValue(message) is not IMessage child)
                continue;
            if (!KeepInner(child, inner))
                return false;
        }
        return true;
    }

    private static bool KeepInner(IMessage child, List<string> paths)
    {
        if (child is not Any any)
            return Keep(child, paths);
        if (MessageTypes.Unpack(any) is not { } packed)
            return false;
        bool kept = Keep(packed, paths);
        any.Value = packed.ToByteString();
        return kept;
    }

    /// <summary>Puts a word in the place of each secret.</summary>
    public static void Redact(IMessage message)
    {
        if (message is Any any)
        {
            if (MessageTypes.Unpack(any) is not { } packed)
                return;
            Redact(packed);
            any.Value = packed.ToByteString();
            return;
        }
        Sensitive.TryGetValue(message.Descriptor.FullName, out HashSet<string>? secrets);
        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder())
        {
            bool secret = secrets?.Contains(field.Name) ?? false;
            object value = field.Accessor.GetValue(message);
            if (value is null)
                continue;
            if (field.IsMap || field.IsRepeated)
            {
                foreach (object? item in (System.Collections.IEnumerable)value)
                    RedactItem(field.IsMap && item is not null ? ValueOf(item) : item, secret);
            }
            else if (field.FieldType == FieldType.Message)
            {
                RedactItem(value, secret);
            }
            else if (secret)
            {
                field.Accessor.SetValue(message, field.FieldType == FieldType.Bytes ? ByteString.CopyFromUtf8(Hidden) : Hidden);
            }
        }
    }

    private static object? ValueOf(object pair) => pair.GetType().GetProperty("Value")?.GetValue(pair);

    private static void RedactItem(object? item, bool secret)
    {
        if (item is not IMessage message)
            return;
        if (!secret)
            Redact(message);
        else if (message is Envoy.Config.Core.V3.DataSource source)
            Hide(source);
        else
            HideAll(message);
    }

    private static void Hide(Envoy.Config.Core.V3.DataSource source)
    {
        if (source.HasInlineString)
            source.InlineString = Hidden;
        else if (source.HasInlineBytes)
            source.InlineBytes = ByteString.CopyFromUtf8(Hidden);
    }

    private static void HideAll(IMessage message)
    {
        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder())
            field.Accessor.Clear(message);
    }
}
