using System.Text.Json;
using Google.Api.Expr.V1Alpha1;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Cel;

namespace Lateen.Proxy.Xds;

/// <summary>Expressions that come parsed, and texts, to programs; what is wrong with them is said with its place.</summary>
internal static class CelTranslator
{
    private const int DepthMax = 200;

    /// <summary>Compiles a parsed expression; null with a rejection.</summary>
    public static CelProgram? Program(Expr expr, Translation translation, Rejections rejections) =>
        Compiled(() => CelProgram.Compile(Of(expr, 0), NodeOf(translation)), rejections);

    /// <summary>Parses and compiles a text; null with a rejection.</summary>
    public static CelProgram? Program(string text, Translation? translation, Rejections rejections) =>
        Compiled(() => CelProgram.Parse(text, translation is null ? default : NodeOf(translation)), rejections);

    private static CelProgram? Compiled(Func<CelProgram> compile, Rejections rejections)
    {
        try
        {
            CelProgram program = compile();
            foreach (string note in program.Notes)
                rejections.Note(note);
            return program;
        }
        catch (CelException e)
        {
            rejections.Add($"failed to create an expression: {e.Message}");
            return null;
        }
    }

    private static JsonElement NodeOf(Translation translation)
    {
        var fields = new Dictionary<string, object> { ["id"] = translation.Node.Id, ["cluster"] = translation.Node.Cluster };
        if (translation.Node.Metadata is { } metadata)
            fields["metadata"] = ValueTranslator.Json(metadata);
        return JsonSerializer.SerializeToElement(fields);
    }

    private static CelExpr Of(Expr expr, int depth)
    {
        if (depth > DepthMax)
            throw new CelException("the expression is nested too deeply");
        return expr.ExprKindCase switch
        {
            Expr.ExprKindOneofCase.ConstExpr => Of(expr.ConstExpr),
            Expr.ExprKindOneofCase.IdentExpr => new CelIdent(expr.IdentExpr.Name),
            Expr.ExprKindOneofCase.SelectExpr =>
                new CelSelect(Of(expr.SelectExpr.Operand, depth + 1), expr.SelectExpr.Field, expr.SelectExpr.TestOnly),
            Expr.ExprKindOneofCase.CallExpr => new CelCall(expr.CallExpr.Function,
                [.. (expr.CallExpr.Target is null
                    ? expr.CallExpr.Args : expr.CallExpr.Args.Prepend(expr.CallExpr.Target)).Select(a => Of(a, depth + 1))]),
            Expr.ExprKindOneofCase.ListExpr => new CelList([.. expr.ListExpr.Elements.Select(e => Of(e, depth + 1))]),
            Expr.ExprKindOneofCase.StructExpr when expr.StructExpr.MessageName.Length == 0 =>
                new CelMap([.. expr.StructExpr.Entries.Select(e => (Of(e.MapKey, depth + 1), Of(e.Value, depth + 1)))]),
            Expr.ExprKindOneofCase.ComprehensionExpr => throw new CelException("comprehensions are off, as in Envoy"),
            _ => throw new CelException($"expressions of the form {expr.ExprKindCase} are not served"),
        };
    }

    private static CelConstant Of(Constant constant) => constant.ConstantKindCase switch
    {
        Constant.ConstantKindOneofCase.NullValue => new CelConstant(CelKind.Null, 0, []),
        Constant.ConstantKindOneofCase.BoolValue => new CelConstant(CelKind.Bool, constant.BoolValue ? 1 : 0, []),
        Constant.ConstantKindOneofCase.Int64Value => new CelConstant(CelKind.Int, constant.Int64Value, []),
        Constant.ConstantKindOneofCase.Uint64Value => new CelConstant(CelKind.Uint, (long)constant.Uint64Value, []),
        Constant.ConstantKindOneofCase.DoubleValue =>
            new CelConstant(CelKind.Double, BitConverter.DoubleToInt64Bits(constant.DoubleValue), []),
        Constant.ConstantKindOneofCase.StringValue =>
            new CelConstant(CelKind.String, 0, System.Text.Encoding.UTF8.GetBytes(constant.StringValue)),
        Constant.ConstantKindOneofCase.BytesValue => new CelConstant(CelKind.Bytes, 0, constant.BytesValue.ToByteArray()),
#pragma warning disable CS0612 // deprecated, but part of the message
        Constant.ConstantKindOneofCase.DurationValue =>
            new CelConstant(CelKind.Duration, Nanos(constant.DurationValue.Seconds, constant.DurationValue.Nanos), []),
        Constant.ConstantKindOneofCase.TimestampValue =>
            new CelConstant(CelKind.Timestamp, Nanos(constant.TimestampValue.Seconds, constant.TimestampValue.Nanos), []),
#pragma warning restore CS0612
        _ => throw new CelException("a constant without a value"),
    };

    private static long Nanos(long seconds, int nanos) =>
        Math.Abs(seconds) < long.MaxValue / 1_000_000_000
            ? (seconds * 1_000_000_000) + nanos : throw new CelException("a time is out of range");
}
