using System.Text.Json;
using Envoy.Type.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.Api.Schemas;
using Lateen.Api.Schemas.Constraints;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds;

/// <summary>Small values that all messages share: durations, fractions, addresses, metadata, data sources.</summary>
internal static class ValueTranslator
{
    /// <summary>Microseconds of a duration; <paramref name="absent"/> where it is not set.</summary>
    public static long Micros(Duration? duration, long absent = 0) =>
        duration is null ? absent : duration.Seconds > 1_000_000_000_000
            ? long.MaxValue / 4 : (duration.Seconds * 1_000_000) + (duration.Nanos / 1000);

    /// <summary>Microseconds of a duration; null where it is not set.</summary>
    public static long? MicrosOrNull(Duration? duration) => duration is null ? null : Micros(duration);

    /// <summary>A share.</summary>
    public static Fraction Fraction(FractionalPercent? percent, Fraction absent) =>
        percent is null ? absent : new Fraction(percent.Numerator, percent.Denominator switch
        {
            FractionalPercent.Types.DenominatorType.TenThousand => 10_000,
            FractionalPercent.Types.DenominatorType.Million => 1_000_000,
            _ => 100,
        });

    /// <summary>A share that runtime keys could change; we take its default.</summary>
    public static Fraction Fraction(Core.RuntimeFractionalPercent? percent, Fraction absent) =>
        percent is null ? absent : Fraction(percent.DefaultValue, absent);

    /// <summary>A share of requests that a runtime value may set; all where there is none.</summary>
    public static LiveShare Share(Core.RuntimeFractionalPercent? percent, RuntimeValues runtime) =>
        percent is null ? LiveShare.All
            : new LiveShare(Fraction(percent, Routing.Fraction.All), percent.RuntimeKey, percent.RuntimeKey.Length > 0 ? runtime : null);

    /// <summary>A socket's address; notes a rejection where it is none.</summary>
    public static Address Address(Core.Address? address, Rejections rejections)
    {
        switch (address?.AddressCase)
        {
            case Core.Address.AddressOneofCase.SocketAddress:
                return Socket(address.SocketAddress, rejections);
            case Core.Address.AddressOneofCase.Pipe:
                return Net.Address.Unix(address.Pipe.Path);
            case Core.Address.AddressOneofCase.EnvoyInternalAddress:
                return Net.Address.Internal(address.EnvoyInternalAddress.ServerListenerName, address.EnvoyInternalAddress.EndpointId);
            default:
                rejections.Add("an address is missing");
                return default;
        }
    }

    /// <summary>An IP address with its port; a name is refused.</summary>
    public static Address Socket(Core.SocketAddress address, Rejections rejections)
    {
        if (address.Protocol == Core.SocketAddress.Types.Protocol.Udp)
            rejections.Add("UDP addresses (QUIC) are not served");
        if (!address.NamedPort.Equals("", StringComparison.Ordinal))
            rejections.Add("named_port is not served: write port_value");
        if (Net.Address.TryParse(address.Address, (int)address.PortValue, out Address parsed))
            return parsed;
        rejections.Add($"malformed IP address: {address.Address}");
        return default;
    }

    /// <summary>An option of a socket.</summary>
    public static SocketOption Option(Core.SocketOption option)
    {
        byte[] value = option.ValueCase == Core.SocketOption.ValueOneofCase.BufValue
            ? option.BufValue.ToByteArray() : BitConverter.GetBytes((int)option.IntValue);
        return new SocketOption((int)option.Level, (int)option.Name, value, (SocketPhase)option.State);
    }

    /// <summary>A header's name as it is looked up.</summary>
    public static byte[] HeaderName(string name) => System.Text.Encoding.Latin1.GetBytes(name.ToLowerInvariant());

    /// <summary>An address range.</summary>
    public static Prefix? Prefix(Core.CidrRange range, Rejections rejections)
    {
        uint bits = range.PrefixLen ?? 0;
        if (!Net.Address.TryParse(range.AddressPrefix, 0, out Address address) || bits > (address.Kind == AddressKind.V4 ? 32u : 128u))
        {
            rejections.Add($"invalid ip/mask combo '{range.AddressPrefix}/{bits}' (format is <ip>/<# mask bits>)");
            return null;
        }
        return new Prefix(address, (int)bits);
    }

    /// <summary>Bytes of a data source; null (and a rejection) where it can't be read.</summary>
    public static byte[]? Data(Core.DataSource? source, Rejections rejections)
    {
        switch (source?.SpecifierCase)
        {
            case Core.DataSource.SpecifierOneofCase.InlineBytes:
                return source.InlineBytes.ToByteArray();
            case Core.DataSource.SpecifierOneofCase.InlineString:
                return System.Text.Encoding.UTF8.GetBytes(source.InlineString);
            case Core.DataSource.SpecifierOneofCase.EnvironmentVariable:
                string? value = Environment.GetEnvironmentVariable(source.EnvironmentVariable);
                if (value is null)
                    rejections.Add($"Environment variable doesn't exist: {source.EnvironmentVariable}");
                return value is null ? null : System.Text.Encoding.UTF8.GetBytes(value);
            case Core.DataSource.SpecifierOneofCase.Filename:
                return ReadFile(source.Filename, rejections);
            default:
                return null;
        }
    }

    private static byte[]? ReadFile(string path, Rejections rejections)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            rejections.Add(e is FileNotFoundException or DirectoryNotFoundException or ArgumentException
                ? $"Invalid path: {path}" : $"unable to read file {path}: {e.Message}");
            return null;
        }
    }

    /// <summary>Metadata by namespace.</summary>
    public static Metadata Metadata(Core.Metadata? metadata)
    {
        if (metadata is null || metadata.FilterMetadata.Count == 0)
            return Proxy.Metadata.Empty;
        return Proxy.Metadata.Of(metadata.FilterMetadata.Select(m => KeyValuePair.Create(m.Key, Json(m.Value))));
    }

    /// <summary>A struct as JSON.</summary>
    public static JsonElement Json(Struct value)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
            Write(writer, value);
        return JsonDocument.Parse(buffer.ToArray()).RootElement;
    }

    private static void Write(Utf8JsonWriter writer, Struct value)
    {
        writer.WriteStartObject();
        foreach ((string key, Value field) in value.Fields.OrderBy(f => f.Key, StringComparer.Ordinal))
        {
            writer.WritePropertyName(key);
            Write(writer, field);
        }
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, Value value)
    {
        switch (value.KindCase)
        {
            case Value.KindOneofCase.BoolValue:
                writer.WriteBooleanValue(value.BoolValue);
                break;
            case Value.KindOneofCase.NumberValue when double.IsFinite(value.NumberValue):
                if (value.NumberValue == Math.Floor(value.NumberValue) && Math.Abs(value.NumberValue) < 1e15)
                    writer.WriteNumberValue((long)value.NumberValue);
                else
                    writer.WriteNumberValue(value.NumberValue);
                break;
            case Value.KindOneofCase.StringValue:
                writer.WriteStringValue(value.StringValue);
                break;
            case Value.KindOneofCase.StructValue:
                Write(writer, value.StructValue);
                break;
            case Value.KindOneofCase.ListValue:
                writer.WriteStartArray();
                foreach (Value item in value.ListValue.Values)
                    Write(writer, item);
                writer.WriteEndArray();
                break;
            default:
                writer.WriteNullValue();
                break;
        }
    }

    /// <summary>The message inside an Any whose type is known; null (and a rejection) where its bytes are broken or break the schema's
    /// rules.</summary>
    public static T? Unpack<T>(Any any, MessageParser<T> parser, Rejections rejections) where T : class, IMessage<T>
    {
        try
        {
            T message = parser.ParseFrom(any.Value);
            MessageShape shape = SchemaSet.Of(typeof(T));
            if (MessageRules.FirstViolation(shape, any.Value.Span) is { } violation)
            {
                rejections.Add($"Proto constraint validation failed ({violation})");
                return null;
            }
            Bounds.UnservedFields.Check(shape, any.Value.Span, rejections);
            return message;
        }
        catch (Exception e) when (BrokenBytes.Shown(e))
        {
            rejections.Add($"unable to unpack {any.TypeUrl}: {e.Message}");
            return null;
        }
    }

    /// <summary>The type behind the slash of a type URL.</summary>
    public static string TypeName(Any any) => any.TypeUrl[(any.TypeUrl.LastIndexOf('/') + 1)..];
}
