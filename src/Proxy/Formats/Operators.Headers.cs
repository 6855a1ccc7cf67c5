using System.Globalization;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Formats;

/// <summary>Operators about headers, the path and the query.</summary>
internal static partial class Operators
{
    private static Func<IStreamFacts, ByteBuffer, bool>? Headers(OperatorText op) => op.Name switch
    {
        "REQ" or "REQUEST_HEADER" => Header(op, static f => f.RequestHead),
        "RESP" or "RESPONSE_HEADER" => Header(op, static f => f.ResponseHead),
        "TRAILER" or "RESPONSE_TRAILER" => Header(op, static f => f.ResponseTrailers),
        "REQ_WITHOUT_QUERY" => PathHeader(op),
        "QUERY_PARAM" => QueryParameter(op),
        "QUERY_PARAMS" => static (f, b) => f.RequestHead is { } h && h[KnownHeader.Path] is var path && path.Contains((byte)'?')
            && PutBytes(b, Text.QueryOf(path)),
        "PATH" => Path(op),
        _ => null,
    };

    private static (byte[] Main, byte[]? Other) Names(OperatorText op)
    {
        string argument = Required(op);
        int q = argument.IndexOf('?', StringComparison.Ordinal);
        string main = (q < 0 ? argument : argument[..q]).ToLowerInvariant();
        if (q >= 0 && argument.IndexOf('?', q + 1) >= 0)
            throw new FormatException($"operator %{op.Name}({argument})% names more than two headers");
        return (Bytes(main), q < 0 ? null : Bytes(argument[(q + 1)..].ToLowerInvariant()));
    }

    private static byte[] Bytes(string name) => System.Text.Encoding.Latin1.GetBytes(name == "host" ? ":authority" : name);

    private static Func<IStreamFacts, ByteBuffer, bool> Header(OperatorText op, Func<IStreamFacts, HeaderMap?> map)
    {
        (byte[] main, byte[]? other) = Names(op);
        // The first line only, even where the header stands on several (observed of Envoy 1.40).
        return (f, b) =>
        {
            if (map(f) is not { } head
                || !(head.TryGet(main, out ReadOnlySpan<byte> value) || (other is not null && head.TryGet(other, out value))))
                return false;
            b.Append(value);
            return true;
        };
    }

    private static Func<IStreamFacts, ByteBuffer, bool> PathHeader(OperatorText op)
    {
        (byte[] main, byte[]? other) = Names(op);
        return (f, b) =>
        {
            if (f.RequestHead is not { } head
                || !(head.TryGet(main, out ReadOnlySpan<byte> value) || (other is not null && head.TryGet(other, out value))))
                return false;
            b.Append(Text.WithoutQuery(value));
            return true;
        };
    }

    private static Func<IStreamFacts, ByteBuffer, bool> QueryParameter(OperatorText op)
    {
        byte[] name = System.Text.Encoding.UTF8.GetBytes(Required(op));
        return (f, b) =>
        {
            if (f.RequestHead is not { } head
                || !QueryMatch.TryFind(Text.QueryOf(head[KnownHeader.Path]), name, out ReadOnlySpan<byte> value))
                return false;
            b.Append(Uri.UnescapeDataString(System.Text.Encoding.UTF8.GetString(value)));
            return true;
        };
    }

    private static bool PutBytes(ByteBuffer to, ReadOnlySpan<byte> bytes)
    {
        to.Append(bytes);
        return true;
    }

    // PATH(WQ|NQ : ORIG|PATH|ORIG_OR_PATH): with or without query; the path before or after rewriting.
    private static Func<IStreamFacts, ByteBuffer, bool> Path(OperatorText op)
    {
        string[] words = (op.Argument ?? "").Split(':');
        bool query = words[0] is "" or "WQ";
        string which = words.Length > 1 ? words[1] : "ORIG_OR_PATH";
        if (words[0] is not ("" or "WQ" or "NQ") || which is not ("ORIG" or "PATH" or "ORIG_OR_PATH"))
            throw new FormatException($"operator %PATH({op.Argument})%: the arguments are WQ or NQ, then ORIG, PATH or ORIG_OR_PATH");
        return (f, b) =>
        {
            ReadOnlySpan<byte> value = default;
            bool found = f.RequestHead is { } head
                && ((which != "PATH" && head.TryGet(KnownHeader.XEnvoyOriginalPath, out value))
                    || (which != "ORIG" && head.TryGet(KnownHeader.Path, out value)));
            if (found)
                b.Append(query ? value : Text.WithoutQuery(value));
            return found;
        };
    }
}
