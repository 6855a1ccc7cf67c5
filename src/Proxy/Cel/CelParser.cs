namespace Lateen.Proxy.Cel;

/// <summary>Texts to expressions (the language definition's grammar). Depth is bounded: a text is somebody else's.</summary>
internal sealed class CelParser
{
    private const int DepthMax = 100;
    private const int LengthMax = 64 * 1024;

    private static readonly string[][] Levels = [["||"], ["&&"], ["<", "<=", ">", ">=", "==", "!=", "in"], ["+", "-"], ["*", "/", "%"]];

    private readonly CelLexer _lexer;
    private CelToken _now;
    private int _depth;

    private CelParser(string text)
    {
        _lexer = new CelLexer(text);
        _now = _lexer.Next();
    }

    /// <summary>Parses a whole text.</summary>
    /// <exception cref="CelException">It is no expression.</exception>
    public static CelExpr Parse(string text)
    {
        if (text.Length > LengthMax)
            throw new CelException($"the expression is longer than {LengthMax} characters");
        var parser = new CelParser(text);
        CelExpr expr = parser.Expr();
        return parser._now.Kind == CelTokenKind.End ? expr : throw parser.Unexpected();
    }

    private CelExpr Expr()
    {
        if (++_depth > DepthMax)
            throw new CelException("the expression is nested too deeply");
        CelExpr condition = Binary(0);
        if (Take("?"))
        {
            CelExpr yes = Binary(0);
            Expect(":");
            condition = new CelCall("_?_:_", [condition, yes, Expr()]);
        }
        _depth--;
        return condition;
    }

    private CelExpr Binary(int level)
    {
        if (level == Levels.Length)
            return Unary();
        CelExpr left = Binary(level + 1);
        while (_now.Kind is CelTokenKind.Symbol or CelTokenKind.Name && Levels[level].Contains(_now.Text))
        {
            string op = _now.Text;
            Advance();
            left = new CelCall(op == "in" ? "@in" : $"_{op}_", [left, Binary(level + 1)]);
        }
        return left;
    }

    private CelExpr Unary()
    {
        if (Is("!") || Is("-"))
        {
            string op = _now.Text;
            if (++_depth > DepthMax)
                throw new CelException("the expression is nested too deeply");
            Advance();
            CelExpr operand = Unary();
            _depth--;
            if (op == "-" && operand is CelConstant { Kind: CelKind.Int } i)
                return i with { Number = unchecked(-i.Number) };
            if (op == "-" && operand is CelConstant { Kind: CelKind.Double } d)
                return d with { Number = BitConverter.DoubleToInt64Bits(-BitConverter.Int64BitsToDouble(d.Number)) };
            return new CelCall(op + "_", [operand]);
        }
        return Member(Primary());
    }

    private CelExpr Member(CelExpr operand)
    {
        while (true)
        {
            if (Take("."))
            {
                string name = Name();
                operand = Is("(") ? new CelCall(name, [operand, .. Arguments()]) : new CelSelect(operand, name, false);
            }
            else if (Take("["))
            {
                operand = new CelCall("_[_]", [operand, Expr()]);
                Expect("]");
            }
            else
            {
                return operand;
            }
        }
    }

    private CelExpr Primary()
    {
        if (_now.Constant is { } constant)
        {
            Advance();
            // 9223372036854775808 stands only behind a minus.
            return constant;
        }
        if (_now.Kind == CelTokenKind.Name)
            return Word();
        if (Take("."))
            return Word();
        if (Take("("))
        {
            CelExpr inner = Expr();
            Expect(")");
            return inner;
        }
        if (Take("["))
            return new CelList(Sequence("]"));
        if (Take("{"))
            return Map();
        throw Unexpected();
    }

    private CelExpr Word()
    {
        string name = Name();
        switch (name)
        {
            case "true" or "false":
                return new CelConstant(CelKind.Bool, name == "true" ? 1 : 0, []);
            case "null":
                return new CelConstant(CelKind.Null, 0, []);
        }
        if (!Is("("))
            return new CelIdent(name);
        List<CelExpr> arguments = Arguments();
        if (name != "has")
            return new CelCall(name, arguments);
        return arguments is [CelSelect { TestOnly: false } select]
            ? select with { TestOnly = true } : throw new CelException("has() wants a field: has(a.b)");
    }

    private List<CelExpr> Arguments()
    {
        Expect("(");
        return Sequence(")");
    }

    private List<CelExpr> Sequence(string end)
    {
        var list = new List<CelExpr>();
        while (!Take(end))
        {
            list.Add(Expr());
            if (!Take(","))
            {
                Expect(end);
                break;
            }
        }
        return list;
    }

    private CelMap Map()
    {
        var entries = new List<(CelExpr, CelExpr)>();
        while (!Take("}"))
        {
            CelExpr key = Expr();
            Expect(":");
            entries.Add((key, Expr()));
            if (!Take(","))
            {
                Expect("}");
                break;
            }
        }
        return new CelMap(entries);
    }

    private string Name()
    {
        if (_now.Kind != CelTokenKind.Name)
            throw Unexpected();
        string name = _now.Text;
        Advance();
        return name;
    }

    private void Advance() => _now = _lexer.Next();

    private bool Is(string symbol) => _now.Kind == CelTokenKind.Symbol && _now.Text == symbol;

    private bool Take(string symbol)
    {
        if (!Is(symbol))
            return false;
        Advance();
        return true;
    }

    private void Expect(string symbol)
    {
        if (!Take(symbol))
            throw new CelException($"'{symbol}' is missing at {_now.At}");
    }

    private CelException Unexpected() =>
        new(_now.Kind == CelTokenKind.End
            ? "the expression ends too early" : $"unexpected '{(_now.Constant is null ? _now.Text : "constant")}' at {_now.At}");
}
