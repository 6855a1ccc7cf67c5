using System.Text;

namespace Lateen.Proxy.Filters.Lua;

/// <summary>The arguments and results of one native call. Results begin with a code that the prelude's <c>finish</c> reads.</summary>
internal readonly unsafe struct LuaFrame(nint state, LuaMachine machine, LuaRun run)
{
    public nint State => state;

    public LuaMachine Machine => machine;

    public LuaRun Run => run;

    public int Count => LuaNative.lua_gettop(state);

    // ---- results

    /// <summary>No results at all, which is not the same as nil.</summary>
    public int Nothing() => 0;

    /// <summary>Begins results; push them, then return <see cref="Answer"/>.</summary>
    public int Begin()
    {
        int base_ = Count;
        LuaNative.lua_pushnil(state);
        return base_;
    }

    /// <summary>Ends results that began at a base.</summary>
    public int Answer(int from) => Count - from;

    /// <summary>The script gets an error.</summary>
    public int Fail(string message)
    {
        LuaNative.lua_pushinteger(state, 1);
        LuaNative.Push(state, Encoding.UTF8.GetBytes(message));
        return 2;
    }

    /// <summary>The script waits until its run goes on.</summary>
    public int Wait()
    {
        LuaNative.lua_pushinteger(state, 2);
        return 1;
    }

    public int Answer(ReadOnlySpan<byte> text)
    {
        int from = Begin();
        LuaNative.Push(state, text);
        return Answer(from);
    }

    public int Answer(string text)
    {
        int from = Begin();
        Push(text);
        return Answer(from);
    }

    public int Answer(double number)
    {
        int from = Begin();
        Push(number);
        return Answer(from);
    }

    public int Answer(bool value)
    {
        int from = Begin();
        LuaNative.lua_pushboolean(state, value ? 1 : 0);
        return Answer(from);
    }

    public int Answer(IReadOnlyList<string> texts)
    {
        int from = Begin();
        LuaNative.lua_createtable(state, texts.Count, 0);
        for (int i = 0; i < texts.Count; i++)
        {
            Push(texts[i]);
            LuaNative.lua_rawseti(state, -2, i + 1);
        }
        return Answer(from);
    }

    public int Answer(LuaKind kind, int part = 0)
    {
        int from = Begin();
        LuaObjects.Push(state, machine, run, kind, part);
        return Answer(from);
    }

    public int AnswerNil()
    {
        int from = Begin();
        LuaNative.lua_pushnil(state);
        return Answer(from);
    }

    public void Push(string text) => LuaNative.Push(state, Encoding.UTF8.GetBytes(text));

    /// <summary>A number; a whole one as an integer, so that it prints without a fraction.</summary>
    public void Push(double number)
    {
        if (Math.Abs(number) < 9e15 && Math.Truncate(number) == number)
            LuaNative.lua_pushinteger(state, (long)number);
        else
            LuaNative.lua_pushnumber(state, number);
    }

    // ---- arguments

    /// <summary>The object that the method is called on; false where it is dead or another.</summary>
    public bool Self(LuaKind kind, out int part) => LuaObjects.TryGet(state, 1, kind, run, out part);

    public int DeadSelf() => Fail("object used outside of proper scope");

    public int TypeOf(int index) => LuaNative.lua_type(state, index);

    /// <summary>A text, or a number as text.</summary>
    public bool TryText(int index, out ReadOnlySpan<byte> text)
    {
        int type = TypeOf(index);
        if (type == LuaNative.TypeNumber && LuaNative.lua_isinteger(state, index) == 0)
        {
            // Whole numbers without a fraction, as Lua 5.1 writes them.
            double number = LuaNative.lua_tonumberx(state, index, null);
            if (Math.Abs(number) < 9e15 && Math.Truncate(number) == number)
            {
                text = Encoding.ASCII.GetBytes(((long)number).ToString(System.Globalization.CultureInfo.InvariantCulture));
                return true;
            }
        }
        bool is_ = type is LuaNative.TypeString or LuaNative.TypeNumber;
        text = is_ ? LuaNative.Text(state, index) : default;
        return is_;
    }

    public string TextOf(int index) => TryText(index, out ReadOnlySpan<byte> text) ? Encoding.UTF8.GetString(text) : "";

    public bool TryNumber(int index, out double number)
    {
        int is_;
        number = LuaNative.lua_tonumberx(state, index, &is_);
        return is_ != 0;
    }

    /// <summary>Lua's own words for an argument of the wrong type; the object itself is not counted.</summary>
    public int Expected(int index, string function, string type) =>
        Fail($"bad argument #{index - 1} to '{function}' ({type} expected, got {TypeName(index)})");

    private string TypeName(int index) => TypeOf(index) switch
    {
        LuaNative.TypeNone => "no value",
        LuaNative.TypeNil => "nil",
        LuaNative.TypeBoolean => "boolean",
        LuaNative.TypeNumber => "number",
        LuaNative.TypeString => "string",
        LuaNative.TypeTable => "table",
        LuaNative.TypeFunction => "function",
        _ => "userdata",
    };
}
