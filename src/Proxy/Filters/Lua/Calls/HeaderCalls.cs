using System.Text;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Lua.Calls;

/// <summary>Header objects: part 0 is the head, part 1 the trailers.</summary>
internal static class HeaderCalls
{
    private const int Trailers = 1;

    public static readonly (string, Func<LuaFrame, int>)[] All =
    [
        ("headers_get", Get), ("headers_getAtIndex", GetAtIndex), ("headers_getNumValues", GetNumValues),
        ("headers_add", f => Change(f, "add")),
        ("headers_replace", f => Change(f, "replace")), ("headers_remove", f => Change(f, "remove")),
        ("headers_setHttp1ReasonPhrase", SetReason),
        ("headers_begin", Begin), ("headers_next", Next),
    ];

    private static bool TryMap(LuaFrame f, out HeaderMap map, out int part)
    {
        bool alive = f.Self(LuaKind.Headers, out part);
        map = alive && part == Trailers ? f.Run.Trailers! : f.Run.Head;
        return alive && map is not null;
    }

    private static ReadOnlySpan<byte> Lower(ReadOnlySpan<byte> name, Span<byte> room)
    {
        HeaderRules.Lower(name, room);
        return room[..name.Length];
    }

    private static int Get(LuaFrame f)
    {
        if (!TryMap(f, out HeaderMap map, out _))
            return f.DeadSelf();
        if (!f.TryText(2, out ReadOnlySpan<byte> key))
            return f.Expected(2, "get", "string");
        ReadOnlySpan<byte> name = Lower(key, key.Length <= 256 ? stackalloc byte[256] : new byte[key.Length]);
        int at = map.IndexOf(name, 0);
        if (at < 0)
            return f.Nothing();
        map.At(at, out _, out _, out ReadOnlySpan<byte> value);
        int second = map.IndexOf(name, at + 1);
        if (second < 0)
            return f.Answer(value);
        ByteBuffer text = f.Run.Text;
        text.Clear();
        text.Append(value);
        for (; second >= 0; second = map.IndexOf(name, second + 1))
        {
            map.At(second, out _, out _, out value);
            text.Append((byte)',');
            text.Append(value);
        }
        return f.Answer(text.Written);
    }

    private static int GetAtIndex(LuaFrame f)
    {
        if (!TryMap(f, out HeaderMap map, out _))
            return f.DeadSelf();
        if (!f.TryText(2, out ReadOnlySpan<byte> key))
            return f.Expected(2, "getAtIndex", "string");
        if (!f.TryNumber(3, out double number))
            return f.Expected(3, "getAtIndex", "number");
        ReadOnlySpan<byte> name = Lower(key, key.Length <= 256 ? stackalloc byte[256] : new byte[key.Length]);
        int at = map.IndexOf(name, 0);
        for (int left = (int)number; left > 0 && at >= 0; left--)
            at = map.IndexOf(name, at + 1);
        if (at < 0 || number < 0)
            return f.Nothing();
        map.At(at, out _, out _, out ReadOnlySpan<byte> value);
        return value.IsEmpty ? f.Nothing() : f.Answer(value);
    }

    private static int GetNumValues(LuaFrame f)
    {
        if (!TryMap(f, out HeaderMap map, out _))
            return f.DeadSelf();
        if (!f.TryText(2, out ReadOnlySpan<byte> key))
            return f.Expected(2, "getNumValues", "string");
        ReadOnlySpan<byte> name = Lower(key, key.Length <= 256 ? stackalloc byte[256] : new byte[key.Length]);
        int count = 0;
        for (int at = map.IndexOf(name, 0); at >= 0; at = map.IndexOf(name, at + 1))
            count++;
        return f.Answer((double)count);
    }

    // What would break the message's framing is an error of the script: Envoy trusts scripts there.
    private static int Change(LuaFrame f, string what)
    {
        if (!TryMap(f, out HeaderMap map, out int part))
            return f.DeadSelf();
        if (f.Run.IteratedPart == part)
            return f.Fail("header map cannot be modified while iterating");
        if (part != Trailers && !f.Run.TryTouchHead())
            return f.Fail("header map can no longer be modified");
        if (!f.TryText(2, out ReadOnlySpan<byte> key))
            return f.Expected(2, what, "string");
        ReadOnlySpan<byte> value = default;
        if (what != "remove" && !f.TryText(3, out value))
            return f.Expected(3, what, "string");
        ReadOnlySpan<byte> name = Lower(key, key.Length <= 256 ? stackalloc byte[256] : new byte[key.Length]);
        if (!IsName(name, map) || !HeaderRules.IsValue(value))
            return f.Fail($"'{Encoding.UTF8.GetString(key)}' is no header that can be set so");
        if (what == "remove")
            map.Remove(name);
        else if (what == "replace" || name[0] == ':')
            map.Set(name, value);
        else
            map.Add(name, value);
        return f.Nothing();
    }

    private static bool IsName(ReadOnlySpan<byte> name, HeaderMap map) =>
        name.Length > 0
            && (name[0] == ':' ? KnownHeaders.Find(name) != KnownHeader.None && map.IndexOf(name, 0) >= 0 : HeaderRules.IsLowerToken(name));

    private static int SetReason(LuaFrame f)
    {
        if (!TryMap(f, out HeaderMap map, out int part))
            return f.DeadSelf();
        if (f.Run.IteratedPart == part)
            return f.Fail("header map cannot be modified while iterating");
        if (!f.TryText(2, out ReadOnlySpan<byte> phrase))
            return f.Expected(2, "setHttp1ReasonPhrase", "string");
        if (!HeaderRules.IsValue(phrase))
            return f.Fail("a reason phrase has no control bytes");
        if (f.Run.IsResponse)
            (map.Case ??= new HeaderCase()).Reason = phrase.ToArray();
        return f.Nothing();
    }

    private static int Begin(LuaFrame f)
    {
        if (!TryMap(f, out _, out int part))
            return f.DeadSelf();
        if (f.Run.IteratedPart == part)
            return f.Fail("cannot create a second iterator before completing the first");
        f.Run.IteratedPart = part;
        f.Run.IteratedAt = 0;
        return f.Nothing();
    }

    private static int Next(LuaFrame f)
    {
        if (!TryMap(f, out HeaderMap map, out int part))
            return f.DeadSelf();
        while (f.Run.IteratedPart == part && f.Run.IteratedAt < map.End)
        {
            if (!map.At(f.Run.IteratedAt++, out _, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
                continue;
            int from = f.Begin();
            LuaNative.Push(f.State, name);
            LuaNative.Push(f.State, value);
            return f.Answer(from);
        }
        f.Run.IteratedPart = -1;
        return f.AnswerNil();
    }
}
