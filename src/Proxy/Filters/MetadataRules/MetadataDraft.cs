// MetadataRules: filters that turn what a message says into values that other stations read: header_to_metadata, json_to_metadata,
// set_metadata (dynamic metadata), set_filter_state (filter state).
// Their rules are published; the values belong to the exchange. They change no message but where a rule takes a header off. A body is read
// as JSON once, whole and within the buffer limit. A broken body or value is never an error of the request: the rule's other branch is
// taken. Refused: reading bodies as they stream (a value would be there too late to route by).
using System.Text.Json;
using Lateen.Proxy.Exchanges;

namespace Lateen.Proxy.Filters.MetadataRules;

/// <summary>Values that a filter collects and then sets at once, by namespace.</summary>
internal sealed class MetadataDraft
{
    private readonly Dictionary<string, Dictionary<string, JsonElement>> _values = new(StringComparer.Ordinal);

    /// <summary>True where nothing was set.</summary>
    public bool IsEmpty => _values.Count == 0;

    public void Set(string ns, string key, JsonElement value)
    {
        if (!_values.TryGetValue(ns, out Dictionary<string, JsonElement>? fields))
            _values[ns] = fields = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        fields[key] = value;
    }

    public void ApplyTo(Exchange exchange)
    {
        foreach ((string ns, Dictionary<string, JsonElement> fields) in _values)
            exchange.SetMetadata(ns, JsonSerializer.SerializeToElement(fields));
    }
}
