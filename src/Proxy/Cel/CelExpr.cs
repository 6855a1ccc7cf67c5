// Cel: the Common Expression Language over a stream's attributes, for policies' conditions, log filters, the %CEL% operator and metric
// tags. A text is parsed here (CelParser), a parsed or checked protobuf at the border (Xds); both become CelExpr, which CelCompiler turns
// once into a tree of typed nodes: attributes resolved to numbers, constant texts to bytes, expressions compiled. Evaluating walks that
// tree: no closures, no boxing, no allocation for comparisons of attributes; texts that must be written lie on the stack.
// Its cost is bounded by its size, since comprehensions are refused (Envoy switches them off, too) and regular expressions are linear. An
// error inside an expression is a value that && and || may absorb (the language's rule); at the top it means "no". Refused: a library (the
// attributes are ours and must not become objects).
namespace Lateen.Proxy.Cel;

/// <summary>An expression as it was written, with the language's own names of operators (<c>_&amp;&amp;_</c>, <c>_[_]</c>).</summary>
public abstract record CelExpr;

/// <summary>A constant.</summary>
/// <param name="Kind">Null, Bool, Int, Uint, Double, String, Bytes, Duration or Timestamp.</param>
/// <param name="Number">Its number (a double's bits, a truth as 0 or 1).</param>
/// <param name="Bytes">A text's or byte string's bytes.</param>
public sealed record CelConstant(CelKind Kind, long Number, byte[] Bytes) : CelExpr;

/// <summary>A name.</summary>
public sealed record CelIdent(string Name) : CelExpr;

/// <summary>A field; or, for has(), whether it is there.</summary>
public sealed record CelSelect(CelExpr Operand, string Field, bool TestOnly) : CelExpr;

/// <summary>A function or operator; a method's target is its first argument.</summary>
public sealed record CelCall(string Function, IReadOnlyList<CelExpr> Arguments) : CelExpr;

/// <summary>A list.</summary>
public sealed record CelList(IReadOnlyList<CelExpr> Elements) : CelExpr;

/// <summary>A map.</summary>
public sealed record CelMap(IReadOnlyList<(CelExpr Key, CelExpr Value)> Entries) : CelExpr;

/// <summary>Why a text or message is no expression that is served; the message is for a person.</summary>
public sealed class CelException(string message) : Exception(message);
