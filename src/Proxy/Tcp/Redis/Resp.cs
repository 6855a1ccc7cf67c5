// Redis: a proxy for the Redis protocol (redis_proxy). Each request of a client is sent to the host that its key belongs to, over one
// connection a worker and host that all clients share; answers go back in the order of the requests. Commands of several keys are split and
// their answers joined. Nothing here keeps data or knows what commands do beyond where their keys stand.
// Refused: a value tree for answers (they are measured, and passed on as the bytes they are).
using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Lateen.Proxy.Tcp.Redis;

/// <summary>How far a look at bytes came.</summary>
public enum RespOutcome : byte
{
    /// <summary>A whole value is there.</summary>
    Whole,

    /// <summary>More must come.</summary>
    More,

    /// <summary>It is no Redis protocol.</summary>
    Broken,
}

/// <summary>The Redis protocol (RESP2) as far as a proxy needs it.</summary>
public static class Resp
{
    // Redis' own limits: 512 MiB a string; a million items is what a pipeline may ask for.
    private const long BulkMax = 512L * 1024 * 1024;
    private const int ItemsMax = 1024 * 1024, DepthMax = 16;

    /// <summary>The length of the value that bytes begin with.</summary>
    public static RespOutcome Measure(ReadOnlySpan<byte> bytes, out int length) => Measure(bytes, 0, out length);

    private static RespOutcome Measure(ReadOnlySpan<byte> bytes, int depth, out int length)
    {
        length = 0;
        if (bytes.IsEmpty)
            return RespOutcome.More;
        int end = bytes.IndexOf("\r\n"u8);
        if (end < 0)
            return bytes.Length > 64 * 1024 || !IsType(bytes[0]) ? RespOutcome.Broken : RespOutcome.More;
        length = end + 2;
        switch (bytes[0])
        {
            case (byte)'+' or (byte)'-' or (byte)':':
                return RespOutcome.Whole;
            case (byte)'$':
                if (!Number(bytes[1..end], out long size) || size > BulkMax)
                    return RespOutcome.Broken;
                if (size < 0)
                    return RespOutcome.Whole;
                if (bytes.Length < length + size + 2)
                    return RespOutcome.More;
                length += (int)size + 2;
                return bytes[length - 2] == '\r' && bytes[length - 1] == '\n' ? RespOutcome.Whole : RespOutcome.Broken;
            case (byte)'*':
                if (!Number(bytes[1..end], out long items) || items > ItemsMax || depth > DepthMax)
                    return RespOutcome.Broken;
                for (long i = 0; i < items; i++)
                {
                    RespOutcome outcome = Measure(bytes[length..], depth + 1, out int one);
                    if (outcome != RespOutcome.Whole)
                        return outcome;
                    length += one;
                }
                return RespOutcome.Whole;
            default:
                return RespOutcome.Broken;
        }
    }

    private static bool IsType(byte b) => b is (byte)'+' or (byte)'-' or (byte)':' or (byte)'$' or (byte)'*';

    /// <summary>The words of a whole request; null where it is no list of strings.</summary>
    public static List<byte[]>? Words(ReadOnlySpan<byte> request)
    {
        int end = request.IndexOf("\r\n"u8);
        if (request[0] != '*' || !Number(request[1..end], out long items) || items < 1)
            return null;
        var words = new List<byte[]>((int)Math.Min(items, 64));
        request = request[(end + 2)..];
        for (long i = 0; i < items; i++)
        {
            end = request.IndexOf("\r\n"u8);
            if (request[0] != '$' || !Number(request[1..end], out long size) || size < 0)
                return null;
            words.Add(request.Slice(end + 2, (int)size).ToArray());
            request = request[(end + 2 + (int)size + 2)..];
        }
        return words;
    }

    /// <summary>A request of words.</summary>
    public static byte[] Request(IReadOnlyList<byte[]> words)
    {
        var text = new Formats.ByteBuffer(64);
        text.Append(string.Create(CultureInfo.InvariantCulture, $"*{words.Count}\r\n"));
        foreach (byte[] word in words)
            AppendBulk(text, word);
        return text.Written.ToArray();
    }

    /// <summary>A bulk string.</summary>
    public static byte[] Bulk(ReadOnlySpan<byte> value)
    {
        var text = new Formats.ByteBuffer(value.Length + 16);
        AppendBulk(text, value);
        return text.Written.ToArray();
    }

    private static void AppendBulk(Formats.ByteBuffer to, ReadOnlySpan<byte> value)
    {
        to.Append(string.Create(CultureInfo.InvariantCulture, $"${value.Length}\r\n"));
        to.Append(value);
        to.Append("\r\n"u8);
    }

    /// <summary>An error.</summary>
    public static byte[] Error(string text) => Encoding.UTF8.GetBytes($"-{text}\r\n");

    /// <summary>The number of a whole ":n" value; null for any other.</summary>
    public static long? Integer(ReadOnlySpan<byte> value) =>
        value.Length > 3 && value[0] == ':' && Number(value[1..^2], out long number) ? number : null;

    private static bool Number(ReadOnlySpan<byte> text, out long number) =>
        Utf8Parser.TryParse(text, out number, out int used) && used == text.Length;
}
