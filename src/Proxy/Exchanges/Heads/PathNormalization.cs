using System.Buffers;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Exchanges.Heads;

/// <summary>What normalizing came to.</summary>
internal enum PathOutcome : byte
{
    Keep,
    Reject,
    Redirect,
}

/// <summary>One form of a path for everything that looks at it: routes, policies, logs, the upstream. Only the part before the query is
/// changed.</summary>
internal static class PathNormalization
{
    private static readonly SearchValues<byte> Special = SearchValues.Create("%\\\"<>^`{|} "u8);

    /// <summary>Changes <c>:path</c> as configured.</summary>
    public static PathOutcome Apply(HeaderMap head, HttpOptions options, ByteBuffer scratch)
    {
        ReadOnlySpan<byte> path = head[KnownHeader.Path];
        int fragment = path.IndexOf((byte)'#');
        if (fragment >= 0)
        {
            if (!options.StripFragment)
                return PathOutcome.Reject;
            head.Set(KnownHeader.Path, path[..fragment]);
            path = head[KnownHeader.Path];
        }
        PathOutcome outcome = PathOutcome.Keep;
        if (options.EscapedSlashes != EscapedSlashes.Keep && HasEscapedSlash(WithoutQuery(path)))
        {
            // The refused path is logged unescaped (observed).
            Rewrite(head, scratch, UnescapeSlashes);
            if (options.EscapedSlashes == EscapedSlashes.Reject)
                return PathOutcome.Reject;
            outcome = options.EscapedSlashes == EscapedSlashes.UnescapeAndRedirect ? PathOutcome.Redirect : PathOutcome.Keep;
        }
        if (options.NormalizePath && NeedsWork(WithoutQuery(head[KnownHeader.Path])) && !Rewrite(head, scratch, Canonicalize))
            return PathOutcome.Reject;
        if (options.MergeSlashes && WithoutQuery(head[KnownHeader.Path]).IndexOf("//"u8) >= 0)
            Rewrite(head, scratch, Merge);
        return outcome;
    }

    private delegate bool Change(ReadOnlySpan<byte> path, ByteBuffer to);

    private static bool Rewrite(HeaderMap head, ByteBuffer scratch, Change change)
    {
        ReadOnlySpan<byte> whole = head[KnownHeader.Path], path = WithoutQuery(whole);
        scratch.Clear();
        if (!change(path, scratch))
            return false;
        scratch.Append(whole[path.Length..]);
        head.Set(KnownHeader.Path, scratch.Written);
        return true;
    }

    private static ReadOnlySpan<byte> WithoutQuery(ReadOnlySpan<byte> path)
    {
        int q = path.IndexOf((byte)'?');
        return q < 0 ? path : path[..q];
    }

    private static bool HasEscapedSlash(ReadOnlySpan<byte> path)
    {
        for (int at = path.IndexOf((byte)'%'); at >= 0 && at + 2 < path.Length;)
        {
            if ((path[at + 1] == '2' && (path[at + 2] | 0x20) == 'f') || (path[at + 1] == '5' && (path[at + 2] | 0x20) == 'c'))
                return true;
            int next = path[(at + 1)..].IndexOf((byte)'%');
            at = next < 0 ? -1 : at + 1 + next;
        }
        return false;
    }

    private static bool UnescapeSlashes(ReadOnlySpan<byte> path, ByteBuffer to)
    {
        for (int i = 0; i < path.Length; i++)
        {
            if (path[i] == '%' && i + 2 < path.Length && path[i + 1] == '2' && (path[i + 2] | 0x20) == 'f')
            {
                to.Append((byte)'/');
                i += 2;
            }
            else if (path[i] == '%' && i + 2 < path.Length && path[i + 1] == '5' && (path[i + 2] | 0x20) == 'c')
            {
                to.Append((byte)'\\');
                i += 2;
            }
            else
            {
                to.Append(path[i]);
            }
        }
        return true;
    }

    private static bool Merge(ReadOnlySpan<byte> path, ByteBuffer to)
    {
        for (int i = 0; i < path.Length; i++)
        {
            if (path[i] != '/' || i == 0 || path[i - 1] != '/')
                to.Append(path[i]);
        }
        // Slashes alone are a first and a last one (observed).
        if (to.Length == 1 && path.Length > 1)
            to.Append((byte)'/');
        return true;
    }

    private static bool NeedsWork(ReadOnlySpan<byte> path) =>
        path.IndexOfAny(Special) >= 0 || path.IndexOf("/."u8) >= 0 || path.IndexOfAnyInRange((byte)0x7f, (byte)0xff) >= 0;

    // RFC 3986 5.2.4 and 6.2.2 as browsers do it: dot segments (also written %2e) go, unreserved characters are unescaped, others escaped,
    // a backslash is a slash.
    private static bool Canonicalize(ReadOnlySpan<byte> path, ByteBuffer to)
    {
        for (int i = 0; i < path.Length;)
        {
            byte b = path[i];
            if (IsDot(path, i, out int dot) && to.Length > 0 && to.Written[^1] == '/')
            {
                int after = i + dot;
                bool second = IsDot(path, after, out int dot2);
                int end = second ? after + dot2 : after;
                if (end == path.Length || path[end] is (byte)'/' or (byte)'\\')
                {
                    if (second)
                        BackOne(to);
                    i = end < path.Length ? end + 1 : end;
                    continue;
                }
            }
            if (b == '%')
            {
                if (!Escape(path, ref i, to))
                    return false;
                continue;
            }
            if (b == '\\')
                to.Append((byte)'/');
            else if (b is <= 0x20 or >= 0x7f or (byte)'"' or (byte)'<' or (byte)'>' or (byte)'^' or (byte)'`' or (byte)'{' or (byte)'|'
                or (byte)'}')
                AppendEscaped(to, b);
            else
                to.Append(b);
            i++;
        }
        return to.Length > 0;
    }

    private static bool IsDot(ReadOnlySpan<byte> path, int at, out int length)
    {
        length = 0;
        if (at < path.Length && path[at] == '.')
            length = 1;
        else if (at + 2 < path.Length && path[at] == '%' && path[at + 1] == '2' && (path[at + 2] | 0x20) == 'e')
            length = 3;
        return length > 0;
    }

    private static void BackOne(ByteBuffer to)
    {
        // "/a/b/" loses "b/"; the first slash stays.
        if (to.Length > 1)
            to.Truncate(to.Written[..^1].LastIndexOf((byte)'/') + 1);
    }

    private static bool Escape(ReadOnlySpan<byte> path, ref int at, ByteBuffer to)
    {
        if (at + 2 >= path.Length || !char.IsAsciiHexDigit((char)path[at + 1]) || !char.IsAsciiHexDigit((char)path[at + 2]))
        {
            // A broken escape stays as it is (observed).
            to.Append(path[at++]);
            return true;
        }
        int value = Convert.FromHexString([(char)path[at + 1], (char)path[at + 2]])[0];
        if (value == 0)
            return false;
        if (char.IsAsciiLetterOrDigit((char)value) || value is '-' or '.' or '_' or '~')
            to.Append((byte)value);
        else
            to.Append(path.Slice(at, 3));
        at += 3;
        return true;
    }

    private static void AppendEscaped(ByteBuffer to, byte b)
    {
        ReadOnlySpan<byte> digits = "0123456789ABCDEF"u8;
        to.Append((byte)'%');
        to.Append(digits[b >> 4]);
        to.Append(digits[b & 15]);
    }
}
