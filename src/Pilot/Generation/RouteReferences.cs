using System.Text;

namespace Lateen.Pilot.Generation;

/// <summary>The names of route configurations that a serialized listener will ask for, read off its bytes: unpacking it whole would cost as much as making it did.</summary>
internal static class RouteReferences
{
    private const string ManagerType = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

    // Listener: filter_chains, default_filter_chain. FilterChain: filters. Filter: typed_config. Any: type_url, value. HttpConnectionManager: rds. Rds: route_config_name.
    private const int Chains = 3, DefaultChain = 25, Filters = 3, TypedConfig = 4, AnyType = 1, AnyValue = 2, Rds = 3, RouteName = 2;

    // Wire types (protobuf, "Encoding").
    private const int Varint = 0, Fixed64 = 1, Bytes = 2;

    /// <summary>The names, each once.</summary>
    public static IReadOnlyCollection<string> In(ReadOnlySpan<byte> listener)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        for (var fields = new Fields(listener); fields.Next();)
        {
            if (fields.Number is not (Chains or DefaultChain)) continue;
            for (var filters = new Fields(fields.Value); filters.Next();)
            {
                if (filters.Number == Filters && Config(filters.Value) is { Length: > 0 } config) Add(config, found);
            }
        }
        return found;
    }

    // The settings of a filter that manages HTTP; empty for others.
    private static ReadOnlySpan<byte> Config(ReadOnlySpan<byte> filter)
    {
        for (var members = new Fields(filter); members.Next();)
        {
            if (members.Number != TypedConfig) continue;
            ReadOnlySpan<byte> type = default, value = default;
            for (var any = new Fields(members.Value); any.Next();)
            {
                if (any.Number == AnyType) type = any.Value;
                else if (any.Number == AnyValue) value = any.Value;
            }
            return type.EndsWith(Encoding.ASCII.GetBytes(ManagerType)) ? value : default;
        }
        return default;
    }

    private static void Add(ReadOnlySpan<byte> manager, SortedSet<string> found)
    {
        for (var members = new Fields(manager); members.Next();)
        {
            if (members.Number != Rds) continue;
            for (var rds = new Fields(members.Value); rds.Next();)
            {
                if (rds.Number == RouteName) found.Add(Encoding.UTF8.GetString(rds.Value));
            }
        }
    }

    /// <summary>The fields of one message, in order; values of type LEN alone are given.</summary>
    private ref struct Fields(ReadOnlySpan<byte> rest)
    {
        private ReadOnlySpan<byte> _rest = rest;

        public int Number { get; private set; }

        public ReadOnlySpan<byte> Value { get; private set; }

        public bool Next()
        {
            if (_rest.IsEmpty) return false;
            var tag = (uint)Read();
            Number = (int)(tag >> 3);
            Value = default;
            switch ((int)(tag & 7))
            {
                case Varint:
                    Read();
                    break;
                case Fixed64:
                    _rest = _rest[8..];
                    break;
                case Bytes:
                    var length = (int)Read();
                    Value = _rest[..length];
                    _rest = _rest[length..];
                    break;
                default:
                    // Groups are in no message of ours: what is left is fixed, of 32 bits.
                    _rest = _rest[4..];
                    break;
            }
            return true;
        }

        private ulong Read()
        {
            var value = 0ul;
            for (var shift = 0; ; shift += 7)
            {
                var part = _rest[0];
                _rest = _rest[1..];
                value |= (ulong)(part & 127) << shift;
                if (part < 128) return value;
            }
        }
    }
}
