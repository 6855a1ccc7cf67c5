namespace Lateen.Proxy.Http;

/// <summary>The reason phrases of RFC 9110 15 and its registry; HTTP/1 writes them, and the answers to malformed requests have them as
/// body.</summary>
public static class StatusText
{
    private const string Unknown = "Unknown";

    private static readonly string[] Texts = MakeTexts();
    private static readonly byte[][] Bytes = Array.ConvertAll(Texts, System.Text.Encoding.ASCII.GetBytes);

    // Whole first lines of answers, of those codes that have a phrase.
    private static readonly byte[][] Lines = [.. Texts.Select((text, code) =>
        text == Unknown ? [] : System.Text.Encoding.ASCII.GetBytes($"HTTP/1.1 {code} {text}\r\n"))];

    /// <summary>The phrase; "Unknown" for a code without one.</summary>
    public static string Of(int status) => (uint)status < (uint)Texts.Length ? Texts[status] : Unknown;

    /// <summary>The phrase as bytes.</summary>
    public static ReadOnlySpan<byte> BytesOf(int status) => (uint)status < (uint)Bytes.Length ? Bytes[status] : "Unknown"u8;

    /// <summary>The first line of an HTTP/1.1 answer with its line end; empty for a code without a phrase.</summary>
    public static ReadOnlySpan<byte> LineOf(int status) => (uint)status < (uint)Lines.Length ? Lines[status] : default;

    private static string[] MakeTexts()
    {
        string[] texts = new string[512];
        Array.Fill(texts, Unknown);
        foreach ((int code, string text) in new (int, string)[]
        {
            (100, "Continue"), (101, "Switching Protocols"), (102, "Processing"), (103, "Early Hints"),
            (200, "OK"), (201, "Created"), (202, "Accepted"), (203, "Non-Authoritative Information"), (204, "No Content"),
            (205, "Reset Content"),
            (206, "Partial Content"), (207, "Multi-Status"), (208, "Already Reported"), (226, "IM Used"),
            (300, "Multiple Choices"), (301, "Moved Permanently"), (302, "Found"), (303, "See Other"), (304, "Not Modified"),
            (305, "Use Proxy"),
            (307, "Temporary Redirect"), (308, "Permanent Redirect"),
            (400, "Bad Request"), (401, "Unauthorized"), (402, "Payment Required"), (403, "Forbidden"), (404, "Not Found"),
            (405, "Method Not Allowed"),
            (406, "Not Acceptable"), (407, "Proxy Authentication Required"), (408, "Request Timeout"), (409, "Conflict"), (410, "Gone"),
            (411, "Length Required"),
            (412, "Precondition Failed"), (413, "Payload Too Large"), (414, "URI Too Long"), (415, "Unsupported Media Type"),
            (416, "Range Not Satisfiable"),
            (417, "Expectation Failed"), (421, "Misdirected Request"), (422, "Unprocessable Entity"), (423, "Locked"),
            (424, "Failed Dependency"), (425, "Too Early"),
            (426, "Upgrade Required"), (428, "Precondition Required"), (429, "Too Many Requests"), (431, "Request Header Fields Too Large"),
            (500, "Internal Server Error"), (501, "Not Implemented"), (502, "Bad Gateway"), (503, "Service Unavailable"),
            (504, "Gateway Timeout"),
            (505, "HTTP Version Not Supported"), (506, "Variant Also Negotiates"), (507, "Insufficient Storage"), (508, "Loop Detected"),
            (510, "Not Extended"),
            (511, "Network Authentication Required"),
        })
        {
            texts[code] = text;
        }
        return texts;
    }
}
