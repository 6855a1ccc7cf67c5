using System.Text.Json;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Cel;

/// <summary>A compiled expression: immutable, shared by all workers. An evaluation that comes to no value (an absent attribute, kinds that
/// do not fit) is no failure.</summary>
public sealed class CelProgram
{
    private const int ScratchBytes = 1024;

    private readonly CelNode _root;

    private CelProgram(CelNode root, IReadOnlyList<string> notes)
    {
        _root = root;
        Notes = notes;
    }

    /// <summary>What an author should know, above all names that are no attributes: they never have a value.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>Parses and compiles a text.</summary>
    /// <param name="text">The expression.</param>
    /// <param name="node">The proxy's node as JSON, for xds.node; may be undefined.</param>
    /// <exception cref="CelException">It is no expression, or uses what is not served; the message says what and where.</exception>
    public static CelProgram Parse(string text, JsonElement node = default) => Compile(CelParser.Parse(text), node);

    /// <summary>Compiles an expression that came parsed.</summary>
    /// <exception cref="CelException">It uses what is not served.</exception>
    public static CelProgram Compile(CelExpr expr, JsonElement node = default)
    {
        var compiler = new CelCompiler(node);
        CelNode root = compiler.Compile(expr);
        return new CelProgram(root, compiler.Notes);
    }

    /// <summary>True where the value is the truth; false for any other value and for none.</summary>
    public bool Matches(IStreamFacts facts)
    {
        var run = new CelRun(facts, stackalloc byte[ScratchBytes]);
        return _root.Eval(ref run).IsTrue;
    }

    /// <summary>Adds the value as text as Envoy prints it; the kind tells what it was, Error that there is none and nothing was
    /// added.</summary>
    public CelKind Print(IStreamFacts facts, ByteBuffer to)
    {
        var run = new CelRun(facts, stackalloc byte[ScratchBytes]);
        CelValue value = _root.Eval(ref run);
        CelPrinter.Print(value, to);
        return value.Kind;
    }

    /// <summary>Adds the value for typed JSON: a text, bytes, a time as <see cref="Print"/> does, anything else as JSON. The kind tells
    /// what it was, Error that there is none and nothing was added.</summary>
    public CelKind Export(IStreamFacts facts, ByteBuffer to)
    {
        var run = new CelRun(facts, stackalloc byte[ScratchBytes]);
        CelValue value = _root.Eval(ref run);
        int before = to.Length;
        if (value.Kind is CelKind.String or CelKind.Bytes or CelKind.Duration or CelKind.Timestamp)
        {
            CelPrinter.Print(value, to);
            return value.Kind;
        }
        if (CelJson.Write(value, to, ref run))
            return value.Kind;
        to.Truncate(before);
        return CelKind.Error;
    }
}

/// <summary>One evaluation: the stream, and room for texts that are made on the way.</summary>
internal ref struct CelRun(IStreamFacts facts, Span<byte> room)
{
    private Span<byte> _room = room;

    public readonly IStreamFacts Facts = facts;

    /// <summary>Room that lives as long as the evaluation.</summary>
    public Span<byte> Room(int size)
    {
        if (size > _room.Length)
            return new byte[size];
        Span<byte> taken = _room[..size];
        _room = _room[size..];
        return taken;
    }

    /// <summary>A text as UTF-8.</summary>
    public ReadOnlySpan<byte> Utf8(string text)
    {
        Span<byte> room = Room(System.Text.Encoding.UTF8.GetByteCount(text));
        System.Text.Encoding.UTF8.GetBytes(text, room);
        return room;
    }
}

/// <summary>A part of a compiled expression.</summary>
internal abstract class CelNode
{
    /// <summary>Its value; texts in it live as long as the run.</summary>
    public abstract CelValue Eval(scoped ref CelRun run);
}
