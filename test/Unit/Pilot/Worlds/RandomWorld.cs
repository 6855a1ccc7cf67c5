// Worlds: meshes of random resources. The fields of each are found in its descriptor, so that a field which somebody adds is in the worlds
// on the same day. Words come from a small vocabulary by the field's name: hosts, namespaces, labels and ports meet each other, and now and
// then a word is what no field may hold. Nothing is validated on purpose: what validation forgets to refuse must not break the control
// plane.
using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Lateen.Config.Resources;

namespace Lateen.Test.Unit.Pilot.Worlds;

/// <summary>Makes the resources of a world from a seed.</summary>
internal sealed class RandomWorld(int seed)
{
    private const int DepthMax = 7;

    private static readonly DateTimeOffset Epoch = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly string[] Namespaces = ["default", "istio-system", "other"];
    private static readonly string[] Odd = ["", " ", "*", "a b", "é", "x\ny", "[", "%", "://", "-", "0", "999999999999999999999", "~/~",
        "a/b/c"];

    private static readonly (string Part, string[] Words)[] Vocabulary =
    [
        ("protocol", ["HTTP", "HTTP2", "GRPC", "TCP", "TLS", "HTTPS", "MONGO", "", "UDP", "http"]),
        ("host", ["web", "web.default.svc.cluster.local", "db.other.svc.cluster.local", "*.example.com", "api.example.com", "*", "*/*",
            "./*", "~/*", "other/*", "istio-system/gw.example.com"]),
        ("gateway", ["mesh", "gw", "default/gw", "istio-system/gw"]),
        ("subset", ["v1", "v2", "v3"]),
        ("export", [".", "*", "~", "other"]),
        ("namespace", ["default", "other", "istio-system", "*"]),
        ("address", ["10.1.2.3", "10.1.0.0/16", "2001:db8::1", "unix:///tmp/s", "api.example.com", "0.0.0.0"]),
        ("ip", ["10.1.2.3", "10.1.0.0/16", "2001:db8::/32"]),
        ("regex", [".*", "[a-z]+", "(", "a{2,1}"]),
        ("prefix", ["/", "/a", "web", ""]),
        ("exact", ["/", "/a", "web", "v1"]),
        ("path", ["/", "/a/{*}", "/a/*", "*/b", "/keys.pem"]),
        ("method", ["GET", "POST", "*"]),
        ("principal", ["cluster.local/ns/default/sa/a", "*", "td/ns/*"]),
        ("key", ["app", "source.ip", "source.namespace", "request.headers[x]", "request.auth.claims[a]", "destination.port",
            "connection.sni", "x-header"]),
        ("uri", ["https://issuer.test/keys", "http://web.default.svc.cluster.local/keys", "oci://registry.test/a:b"]),
        ("locality", ["region/zone/sub", "region/*", "*"]),
        ("cluster", ["outbound|80||web.default.svc.cluster.local", "inbound|8080||"]),
        ("provider", ["prometheus", "envoy", "nobody"]),
        ("sni", ["*.example.com", "api.example.com", "*"]),
        ("port", ["80", "443", "http", "65536"]),
        ("name", ["a", "gw", "http", "web", "envoy.filters.http.router", "virtualInbound", "0.0.0.0_80"]),
    ];

    private readonly Random _random = new(seed);

    /// <summary>Some objects of each of these kinds.</summary>
    public List<Resource> Of(IEnumerable<ResourceKind> kinds)
    {
        var made = new List<Resource>();
        foreach (var kind in kinds)
        {
            for (var i = _random.Next(4); i > 0; i--)
            {
                var resource = One(kind);
                if (made.TrueForAll(other => other.Key != resource.Key)) made.Add(resource);
            }
        }
        return made;
    }

    /// <summary>The same list in another order.</summary>
    public List<Resource> Shuffled(IEnumerable<Resource> resources)
    {
        var shuffled = resources.ToArray();
        _random.Shuffle(shuffled);
        return [.. shuffled];
    }

    /// <summary>One object.</summary>
    public Resource One(ResourceKind kind)
    {
        var metadata = new ResourceMetadata
        {
            Name = Pick(["a", "b", "gw", "web"]),
            Namespace = kind.IsNamespaced ? Pick(Namespaces) : "",
            Labels = _random.Next(2) == 0
                ? new Dictionary<string, string>() : new Dictionary<string, string> { ["app"] = "web", ["version"] = Pick(["v1", "v2"]) },
            // Few moments, so that many are of one age.
            CreationTime = Epoch.AddSeconds(_random.Next(3)),
        };
        return (Resource)Activator.CreateInstance(typeof(Resource<>).MakeGenericType(kind.Message.ClrType), kind, metadata,
            Message(kind.Message, "", 0), null, ResourceOrigin.None)!;
    }

    private IMessage Message(MessageDescriptor type, string named, int depth)
    {
        var message = type.Parser.ParseFrom(ByteString.Empty);
        switch (message)
        {
            case Duration duration:
                duration.Seconds = _random.Next(8) == 0 ? -1 : _random.Next(100);
                return duration;
            case Timestamp timestamp:
                timestamp.Seconds = Epoch.ToUnixTimeSeconds();
                return timestamp;
            case Struct content:
                content.Fields[Pick(["name", "typed_config", "@type", "no_such_field"])] = Value.ForString(Word(named));
                return content;
            case Value value:
                value.StringValue = Word(named);
                return value;
            case Any:
                return message;
            case Kubernetes.Meta.V1.IntOrString either:
                either.Number = _random.Next(70000);
                return either;
        }
        foreach (var field in type.Fields.InDeclarationOrder())
        {
            var oneof = field.RealContainingOneof;
            if (_random.Next(depth + 2) > 1 || depth > DepthMax
                || (oneof is not null && oneof.Accessor.GetCaseFieldDescriptor(message) is not null)) continue;
            Set(message, field, depth);
        }
        return message;
    }

    private void Set(IMessage message, FieldDescriptor field, int depth)
    {
        if (field.IsMap)
        {
            var (key, value) = (field.MessageType.FindFieldByNumber(1), field.MessageType.FindFieldByNumber(2));
            ((IDictionary)field.Accessor.GetValue(message))[Single(key, field.Name, depth)] = Single(value, field.Name, depth);
            return;
        }
        if (!field.IsRepeated)
        {
            field.Accessor.SetValue(message, Single(field, field.Name, depth));
            return;
        }
        for (var i = _random.Next(3); i > 0; i--) ((IList)field.Accessor.GetValue(message)).Add(Single(field, field.Name, depth));
    }

    private object Single(FieldDescriptor field, string named, int depth) => field.FieldType switch
    {
        FieldType.String => Word(named),
        FieldType.Bool => _random.Next(2) == 1,
        FieldType.Bytes => ByteString.CopyFromUtf8(Word(named)),
        FieldType.Enum => System.Enum.ToObject(field.EnumType.ClrType,
            _random.Next(12) == 0 ? 77 : field.EnumType.Values[_random.Next(field.EnumType.Values.Count)].Number),
        FieldType.Double => _random.Next(6) == 0 ? -1.5 : _random.NextDouble() * 200,
        FieldType.Float => (float)(_random.NextDouble() * 200),
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => Number(),
        FieldType.UInt32 or FieldType.Fixed32 => (uint)Math.Abs(Number()),
        FieldType.UInt64 or FieldType.Fixed64 => (ulong)Math.Abs(Number()),
        FieldType.Message when field.MessageType.File.Name == "google/protobuf/wrappers.proto" =>
            Single(field.MessageType.FindFieldByNumber(1), named, depth),
        FieldType.Message => Message(field.MessageType, named, depth + 1),
        _ => (long)Number(),
    };

    private int Number() => _random.Next(10) switch
    {
        0 => 0,
        1 => -1,
        2 => int.MaxValue,
        3 => 65536,
        4 => 443,
        5 => 8080,
        6 => 100,
        _ => 80,
    };

    private string Word(string field) => _random.Next(12) == 0 ? Pick(Odd)
        : Pick(Vocabulary.FirstOrDefault(entry => field.Contains(entry.Part, StringComparison.Ordinal)).Words ?? ["web", "v1", "a", "/a"]);

    private string Pick(string[] words) => words[_random.Next(words.Length)];
}
