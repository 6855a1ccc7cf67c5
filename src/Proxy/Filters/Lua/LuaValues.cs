using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Lateen.Proxy.Filters.Lua;

/// <summary>Values of metadata as Lua values, and back.</summary>
internal static class LuaValues
{
    private const int DepthMax = 32;

    /// <summary>Puts a value on the stack.</summary>
    public static void Push(LuaFrame f, JsonElement value)
    {
        // A slot for a table, its key and its value at each depth.
        LuaNative.lua_checkstack(f.State, 4);
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                f.Push(value.GetString()!);
                break;
            case JsonValueKind.Number:
                f.Push(value.GetDouble());
                break;
            case JsonValueKind.True or JsonValueKind.False:
                LuaNative.lua_pushboolean(f.State, value.GetBoolean() ? 1 : 0);
                break;
            case JsonValueKind.Object:
                LuaNative.lua_createtable(f.State, 0, 4);
                foreach (JsonProperty property in value.EnumerateObject())
                {
                    f.Push(property.Name);
                    Push(f, property.Value);
                    LuaNative.lua_rawset(f.State, -3);
                }
                break;
            case JsonValueKind.Array:
                LuaNative.lua_createtable(f.State, value.GetArrayLength(), 0);
                int i = 0;
                foreach (JsonElement item in value.EnumerateArray())
                {
                    Push(f, item);
                    LuaNative.lua_rawseti(f.State, -2, ++i);
                }
                break;
            default:
                LuaNative.lua_pushnil(f.State);
                break;
        }
    }

    /// <summary>An object with one key, from the value at an index; false, with words for the script, where the value has no form in
    /// JSON.</summary>
    public static bool TryRead(LuaFrame f, string key, int index, out JsonElement value, out string error)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WritePropertyName(key);
            error = Write(f, index, writer, 0);
            value = default;
            if (error.Length > 0)
                return false;
            writer.WriteEndObject();
        }
        using JsonDocument document = JsonDocument.Parse(buffer.WrittenMemory);
        value = document.RootElement.Clone();
        return true;
    }

    private static string Write(LuaFrame f, int index, Utf8JsonWriter writer, int depth)
    {
        switch (f.TypeOf(index))
        {
            case LuaNative.TypeNone or LuaNative.TypeNil:
                writer.WriteNullValue();
                return "";
            case LuaNative.TypeBoolean:
                writer.WriteBooleanValue(LuaNative.lua_toboolean(f.State, index) != 0);
                return "";
            case LuaNative.TypeNumber:
                f.TryNumber(index, out double number);
                if (double.IsFinite(number))
                    writer.WriteNumberValue(number);
                else
                    writer.WriteNullValue();
                return "";
            case LuaNative.TypeString:
                writer.WriteStringValue(Encoding.UTF8.GetString(LuaNative.Text(f.State, index)));
                return "";
            case LuaNative.TypeTable when depth < DepthMax:
                return WriteTable(f, index, writer, depth + 1);
            case LuaNative.TypeTable:
                return "table is nested too deep for dynamicMetadata";
            default:
                return "unexpected type in dynamicMetadata";
        }
    }

    // A table with elements is a list, any other an object (Envoy's rule).
    private static string WriteTable(LuaFrame f, int index, Utf8JsonWriter writer, int depth)
    {
        LuaNative.lua_checkstack(f.State, 6);
        string error = "";
        ulong length = LuaNative.lua_rawlen(f.State, index);
        if (length > 0)
        {
            writer.WriteStartArray();
            for (ulong i = 1; i <= length && error.Length == 0; i++)
            {
                LuaNative.lua_rawgeti(f.State, index, (long)i);
                error = Write(f, f.Count, writer, depth);
                LuaNative.Pop(f.State, 1);
            }
            writer.WriteEndArray();
            return error;
        }
        writer.WriteStartObject();
        LuaNative.lua_pushnil(f.State);
        while (error.Length == 0 && LuaNative.lua_next(f.State, index) != 0)
        {
            // A copy of the key is made a text: turning the key itself would confuse the iteration.
            LuaNative.lua_pushvalue(f.State, -2);
            if (f.TryText(f.Count, out ReadOnlySpan<byte> key))
            {
                writer.WritePropertyName(Encoding.UTF8.GetString(key));
                LuaNative.Pop(f.State, 1);
                error = Write(f, f.Count, writer, depth);
            }
            else
            {
                LuaNative.Pop(f.State, 1);
                error = "unexpected type of a key in dynamicMetadata";
            }
            LuaNative.Pop(f.State, 1);
        }
        writer.WriteEndObject();
        return error;
    }
}
