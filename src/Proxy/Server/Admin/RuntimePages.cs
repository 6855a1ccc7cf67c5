using System.Text.Json;

namespace Lateen.Proxy.Server;

/// <summary>/runtime and /runtime_modify. Main loop.</summary>
public sealed class RuntimePages(RuntimeValues values)
{
    private const string Usage =
        "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n       or send the parameters as form values\nuse an empty value "
        + "to remove a previously added override";

    /// <summary>/runtime.</summary>
    public AdminAnswer Show(AdminRequest request)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteStartObject("entries");
            foreach ((string key, string value) in values.OrderBy(v => v.Key, StringComparer.Ordinal))
            {
                json.WriteStartObject(key);
                json.WriteStartArray("layer_values");
                foreach (string layer in values.ByLayer(key))
                    json.WriteStringValue(layer);
                json.WriteEndArray();
                json.WriteString("final_value", value);
                json.WriteEndObject();
            }
            json.WriteEndObject();
            json.WriteStartArray("layers");
            foreach (string layer in values.Layers)
                json.WriteStringValue(layer);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return new AdminAnswer(200, "application/json", stream.ToArray());
    }

    /// <summary>/runtime_modify.</summary>
    public AdminAnswer Modify(AdminRequest request)
    {
        IReadOnlyDictionary<string, string> wanted = request.Query.Count > 0 ? request.Query : AdminRequest.Parameters(request.Body);
        if (wanted.Count == 0)
            return AdminAnswer.Text(Usage, 400);
        if (!values.CanOverride)
            return AdminAnswer.Text("No admin layer specified", 503);
        values.Override(wanted);
        return AdminAnswer.Text("OK\n");
    }
}
