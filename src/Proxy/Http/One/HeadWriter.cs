using System.Buffers.Text;
using System.Runtime.CompilerServices;

namespace Lateen.Proxy.Http.One;

/// <summary>Writes heads, chunk lines and trailers into one array a thread, which the transport then takes.</summary>
internal sealed class HeadWriter
{
    private const int KeptMax = 128 * 1024;

    [ThreadStatic]
    private static HeadWriter? t_instance;

    private byte[] _bytes = new byte[8 * 1024];
    private int _used;

    /// <summary>This thread's writer. A connection asks once and keeps it.</summary>
    public static HeadWriter OfThread => t_instance ??= new HeadWriter();

    /// <summary>Empties it.</summary>
    public void Begin()
    {
        _used = 0;
        if (_bytes.Length > KeptMax)
            _bytes = new byte[8 * 1024];
    }

    /// <summary>What was written.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _used);

    /// <summary>Writes text as it is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Put(ReadOnlySpan<byte> text)
    {
        if (_bytes.Length - _used < text.Length)
            Grow(text.Length);
        text.CopyTo(_bytes.AsSpan(_used));
        _used += text.Length;
    }

    /// <summary>"HTTP/1.1 200 OK" and its line end.</summary>
    public void PutStatusLine(HeaderMap head, int minor)
    {
        ReadOnlySpan<byte> status = head[KnownHeader.Status];
        int code = HeaderRules.Status(head);
        // Of three digits, so that the line says what the head says ("0200" is 200, too).
        ReadOnlySpan<byte> line = minor == 1 && head.Case is null && status.Length == 3 ? StatusText.LineOf(code) : default;
        if (!line.IsEmpty)
        {
            Put(line);
            return;
        }
        Put(minor == 0 ? "HTTP/1.0 "u8 : "HTTP/1.1 "u8);
        Put(status);
        Put(" "u8);
        Put(head.Case is { Reason.Length: > 0 } kept ? kept.Reason : StatusText.BytesOf(code));
        Put("\r\n"u8);
    }

    /// <summary>"GET /path HTTP/1.1" and its line end.</summary>
    public void PutRequestLine(HeaderMap head, bool fullUrl)
    {
        ReadOnlySpan<byte> method = head[KnownHeader.Method];
        Put(method);
        Put(" "u8);
        if (!head.TryGet(KnownHeader.Path, out ReadOnlySpan<byte> path))
        {
            Put(head[KnownHeader.Authority]);
        }
        else
        {
            if (fullUrl && path.StartsWith("/"u8) && head.TryGet(KnownHeader.Authority, out ReadOnlySpan<byte> authority))
            {
                Put(head[KnownHeader.Scheme]);
                Put("://"u8);
                Put(authority);
            }
            Put(path);
        }
        Put(" HTTP/1.1\r\n"u8);
    }

    /// <summary>All ordinary headers, Host among them. What a peer said of its own connection was taken off before; framing, and the end of
    /// ours, are left to the caller.</summary>
    public void PutHeaders(HeaderMap head, HeaderSpelling spelling, bool closing = false)
    {
        bool proper = spelling == HeaderSpelling.ProperCase && head.Case is null, asIs = head.Case is null && !proper;
        for (int i = 0; i < head.End;)
        {
            if (asIs && head.TakeWhole(ref i, out ReadOnlySpan<byte> lines))
                Put(lines);
            else
                PutOne(head, i++, proper, closing);
        }
    }

    private void PutOne(HeaderMap head, int index, bool proper, bool closing)
    {
        if (!head.At(index, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
            return;
        if (known is >= KnownHeader.Method and <= KnownHeader.Status)
        {
            if (known != KnownHeader.Authority)
                return;
            name = "host"u8;
        }
        else if (known == KnownHeader.TransferEncoding || (closing && known == KnownHeader.Connection))
        {
            return;
        }
        PutLine(name, value, head.Case, proper);
    }

    /// <summary>One header line.</summary>
    public void PutLine(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, HeaderCase? kept, bool proper)
    {
        if (kept is not null)
            name = kept.Spell(name);
        int need = name.Length + value.Length + 4;
        if (_bytes.Length - _used < need)
            Grow(need);
        Span<byte> to = _bytes.AsSpan(_used, need);
        name.CopyTo(to);
        if (proper)
            Capitalize(to[..name.Length]);
        to[name.Length] = (byte)':';
        to[name.Length + 1] = (byte)' ';
        value.CopyTo(to[(name.Length + 2)..]);
        to[need - 2] = (byte)'\r';
        to[need - 1] = (byte)'\n';
        _used += need;
    }

    /// <summary>The line in front of a chunk.</summary>
    public void PutChunkLine(int length)
    {
        if (_bytes.Length - _used < 16)
            Grow(16);
        Utf8Formatter.TryFormat((uint)length, _bytes.AsSpan(_used), out int n, new System.Buffers.StandardFormat('x'));
        _used += n;
        Put("\r\n"u8);
    }

    private static void Capitalize(Span<byte> name)
    {
        bool start = true;
        for (int i = 0; i < name.Length; i++)
        {
            if (start && name[i] is >= (byte)'a' and <= (byte)'z')
                name[i] -= 32;
            start = !char.IsAsciiLetterOrDigit((char)name[i]);
        }
    }

    private void Grow(int more) => Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _used + more));
}
