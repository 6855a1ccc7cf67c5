using System.Globalization;
using System.Text.Json;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Telemetry;

namespace Lateen.Proxy.Cel;

/// <summary>Values as JSON, as Envoy exports them: whole numbers that a double can't hold are texts; what can't list its keys (headers,
/// attributes) has no value.</summary>
internal static class CelJson
{
    // 2^53 - 1: beyond it neighbours are one double.
    private const long IntMax = (1L << 53) - 1;

    /// <summary>Adds the value; false where it has none as JSON, and then what was added so far is to be cut off.</summary>
    public static bool Write(scoped in CelValue value, ByteBuffer to, scoped ref CelRun run)
    {
        switch (value.Kind)
        {
            case CelKind.Null:
                to.Append("null"u8);
                return true;
            case CelKind.Bool:
                to.Append(value.IsTrue ? "true"u8 : "false"u8);
                return true;
            case CelKind.Int:
                Number(value.Number, value.Number is >= -IntMax and <= IntMax, to);
                return true;
            case CelKind.Uint:
                Number((ulong)value.Number, (ulong)value.Number <= IntMax, to);
                return true;
            case CelKind.Double:
                Double(value.Double, to);
                return true;
            case CelKind.List:
                return List(value, to, ref run);
            case CelKind.Map:
                return Map(value, to, ref run);
            case CelKind.Error:
                return false;
            default:
                var text = new ByteBuffer();
                CelPrinter.Print(value, text);
                JsonFormat.Quote(text.Written, to);
                return true;
        }
    }

    private static void Number<T>(T number, bool plain, ByteBuffer to) where T : IUtf8SpanFormattable
    {
        if (!plain)
            to.Append((byte)'"');
        to.Append(number);
        if (!plain)
            to.Append((byte)'"');
    }

    private static void Double(double number, ByteBuffer to)
    {
        if (double.IsFinite(number))
            to.Append(number.ToString("R", CultureInfo.InvariantCulture).Replace("E", "e", StringComparison.Ordinal));
        else
            to.Append(double.IsNaN(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    }

    private static bool List(scoped in CelValue list, ByteBuffer to, scoped ref CelRun run)
    {
        if (list.Source is not ListNode node)
            return Raw(list, to);
        to.Append((byte)'[');
        for (int i = 0; i < node.Elements.Length; i++)
        {
            if (i > 0)
                to.Append((byte)',');
            if (!Write(node.Elements[i].Eval(ref run), to, ref run))
                return false;
        }
        to.Append((byte)']');
        return true;
    }

    private static bool Map(scoped in CelValue map, ByteBuffer to, scoped ref CelRun run)
    {
        if (map.Source is not MapNode node)
            return Raw(map, to);
        to.Append((byte)'{');
        for (int i = 0; i < node.Keys.Length; i++)
        {
            if (i > 0)
                to.Append((byte)',');
            CelValue key = node.Keys[i].Eval(ref run);
            if (key.Kind is not (CelKind.String or CelKind.Int or CelKind.Uint or CelKind.Bool))
                return false;
            var name = new ByteBuffer();
            CelPrinter.Print(key, name);
            JsonFormat.Quote(name.Written, to);
            to.Append((byte)':');
            if (!Write(node.ValueAt(i, ref run), to, ref run))
                return false;
        }
        to.Append((byte)'}');
        return true;
    }

    // JSON as it came.
    private static bool Raw(scoped in CelValue value, ByteBuffer to)
    {
        if (value.Source is not null || value.Json.ValueKind == JsonValueKind.Undefined)
            return false;
        to.Append(value.Json.GetRawText());
        return true;
    }
}
