using System.Text;
using Lateen.Api.Schemas.Constraints;

namespace Lateen.Pilot.Generation;

/// <summary>The names of route configurations that a serialized listener will ask for, read off its bytes: unpacking it whole would cost as
/// much as making it did.</summary>
internal static class RouteReferences
{
    private const string ManagerType = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

    // Listener: filter_chains, default_filter_chain. FilterChain: filters. Filter: typed_config. Any: type_url, value.
    // HttpConnectionManager: rds. Rds: route_config_name.
    private const int Chains = 3, DefaultChain = 25, Filters = 3, TypedConfig = 4, AnyType = 1, AnyValue = 2, Rds = 3, RouteName = 2;

    /// <summary>The names, each once.</summary>
    public static IReadOnlyCollection<string> In(ReadOnlySpan<byte> listener)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        for (var fields = new WireFields(listener); fields.Next();)
        {
            if (fields.Number is not (Chains or DefaultChain)) continue;
            for (var filters = new WireFields(fields.Bytes); filters.Next();)
            {
                if (filters.Number == Filters && Config(filters.Bytes) is { Length: > 0 } config) Add(config, found);
            }
        }
        return found;
    }

    // The settings of a filter that manages HTTP; empty for others.
    private static ReadOnlySpan<byte> Config(ReadOnlySpan<byte> filter)
    {
        for (var members = new WireFields(filter); members.Next();)
        {
            if (members.Number != TypedConfig) continue;
            ReadOnlySpan<byte> type = default, value = default;
            for (var any = new WireFields(members.Bytes); any.Next();)
            {
                if (any.Number == AnyType) type = any.Bytes;
                else if (any.Number == AnyValue) value = any.Bytes;
            }
            return type.EndsWith(Encoding.ASCII.GetBytes(ManagerType)) ? value : default;
        }
        return default;
    }

    private static void Add(ReadOnlySpan<byte> manager, SortedSet<string> found)
    {
        for (var members = new WireFields(manager); members.Next();)
        {
            if (members.Number != Rds) continue;
            for (var rds = new WireFields(members.Bytes); rds.Next();)
            {
                if (rds.Number == RouteName) found.Add(Encoding.UTF8.GetString(rds.Bytes));
            }
        }
    }
}
