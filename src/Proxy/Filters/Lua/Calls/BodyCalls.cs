using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Lua.Calls;

/// <summary>Buffer objects: the whole body, or the part that goes by.</summary>
internal static class BodyCalls
{
    public static readonly (string, Func<LuaFrame, int>)[] All = [("buffer_length", Length), ("buffer_getBytes", GetBytes),
        ("buffer_setBytes", SetBytes)];

    private static int Length(LuaFrame f) => f.Self(LuaKind.Buffer, out _) ? f.Answer((double)f.Run.Body.Length) : f.DeadSelf();

    private static int GetBytes(LuaFrame f)
    {
        if (!f.Self(LuaKind.Buffer, out _))
            return f.DeadSelf();
        if (!f.TryNumber(2, out double index))
            return f.Expected(2, "getBytes", "number");
        if (!f.TryNumber(3, out double length))
            return f.Expected(3, "getBytes", "number");
        if (index < 0 || length < 0 || index + length > f.Run.Body.Length)
            return f.Fail("index/length must be >= 0 and (index + length) must be <= buffer size");
        return f.Answer(f.Run.Body.Written.Slice((int)index, (int)length));
    }

    private static int SetBytes(LuaFrame f)
    {
        if (!f.Self(LuaKind.Buffer, out _))
            return f.DeadSelf();
        if (!f.TryText(2, out ReadOnlySpan<byte> text))
            return f.Expected(2, "setBytes", "string");
        f.Run.SetBody(text);
        if (!f.Run.HeadContinued)
        {
            Span<byte> number = stackalloc byte[11];
            System.Buffers.Text.Utf8Formatter.TryFormat(text.Length, number, out int n);
            f.Run.Head.Set(KnownHeader.ContentLength, number[..n]);
            f.Run.Head.Remove(KnownHeader.TransferEncoding);
        }
        return f.Answer((double)text.Length);
    }
}
