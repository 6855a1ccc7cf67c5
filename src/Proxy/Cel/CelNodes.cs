using System.Text.Json;

namespace Lateen.Proxy.Cel;

/// <summary>A constant.</summary>
internal sealed class ConstantNode(CelConstant constant) : CelNode
{
    public CelConstant Constant { get; } = constant;

    public override CelValue Eval(scoped ref CelRun run) => CelValue.Constant(Constant);
}

/// <summary>JSON that is known when configuration is published (xds.node).</summary>
internal sealed class JsonNode(JsonElement json) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run) => CelValue.Of(json);
}

/// <summary>A name that stands for nothing.</summary>
internal sealed class UnknownNode : CelNode
{
    public override CelValue Eval(scoped ref CelRun run) => CelValue.Error;
}

/// <summary>An attribute.</summary>
internal sealed class AttributeNode(CelAttribute attribute) : CelNode
{
    public CelAttribute Attribute => attribute;

    public override CelValue Eval(scoped ref CelRun run) => CelAttributes.Read(attribute, ref run);
}

/// <summary>An attribute of a TLS session: the client's, or the upstream's.</summary>
internal sealed class TlsNode(string name, bool upstream) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run) =>
        CelAttributes.Tls(upstream ? run.Facts.UpstreamTls : run.Facts.DownstreamTls, name, ref run);
}

/// <summary>Dynamic metadata.</summary>
internal sealed class MetadataNode : CelNode
{
    public override CelValue Eval(scoped ref CelRun run) => CelValue.Map(run.Facts.DynamicMetadata ?? Metadata.Empty);
}

/// <summary>One object of the filter state.</summary>
internal sealed class StateNode(string key) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run) => CelAttributes.State(run.Facts.FilterState(key), ref run);
}

/// <summary>A group of attributes as a value: asked by a key that is known only when it is evaluated.</summary>
internal sealed class GroupNode(CelGroup group, JsonElement node) : CelNode
{
    public CelGroup Group => group;

    public override CelValue Eval(scoped ref CelRun run) => CelValue.Map(this);

    public CelValue Find(string name, scoped ref CelRun run) =>
        CelCompiler.Member(group, name, node) is { } member ? member.Eval(ref run) : CelValue.Error;
}

/// <summary>A field of a value.</summary>
internal sealed class FieldNode(CelNode operand, string field) : CelNode
{
    private readonly byte[] _field = System.Text.Encoding.UTF8.GetBytes(field);

    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue of = operand.Eval(ref run);
        return of.Source is Metadata metadata ? CelCollections.Namespace(of, metadata, field) : CelCollections.Field(of, _field, ref run);
    }
}

/// <summary>Whether a value is there; an absent map on the way makes it an error.</summary>
internal sealed class PresentNode(CelNode? map, CelNode value) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        if (map is not null && map.Eval(ref run).Kind != CelKind.Map)
            return CelValue.Error;
        return CelValue.Of(value.Eval(ref run).Kind != CelKind.Error);
    }
}

/// <summary>A value at a key or position.</summary>
internal sealed class IndexNode(CelNode operand, CelNode index) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run) => CelCollections.At(operand.Eval(ref run), index.Eval(ref run), ref run);
}

/// <summary>A list; its elements are evaluated when they are asked for.</summary>
internal sealed class ListNode(CelNode[] elements) : CelNode
{
    public CelNode[] Elements => elements;

    public override CelValue Eval(scoped ref CelRun run) => CelValue.List(this);
}

/// <summary>A map.</summary>
internal sealed class MapNode(CelNode[] keys, CelNode[] values) : CelNode
{
    public CelNode[] Keys => keys;

    public CelValue ValueAt(int index, scoped ref CelRun run) => values[index].Eval(ref run);

    public override CelValue Eval(scoped ref CelRun run) => CelValue.Map(this);

    public CelValue Find(scoped in CelValue key, scoped ref CelRun run)
    {
        for (int i = 0; i < keys.Length; i++)
        {
            if (CelValue.Equal(keys[i].Eval(ref run), key, ref run).IsTrue)
                return values[i].Eval(ref run);
        }
        return CelValue.Error;
    }
}

/// <summary>Both, or one of both: the side that decides alone absorbs an error of the other.</summary>
internal sealed class LogicNode(CelNode left, CelNode right, bool and) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue a = left.Eval(ref run);
        if (and ? a.IsFalse : a.IsTrue)
            return a;
        CelValue b = right.Eval(ref run);
        if (and ? b.IsFalse : b.IsTrue)
            return b;
        return a.Kind == CelKind.Bool && b.Kind == CelKind.Bool ? a : CelValue.Error;
    }
}

/// <summary>The opposite.</summary>
internal sealed class NotNode(CelNode operand) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue value = operand.Eval(ref run);
        return value.Kind == CelKind.Bool ? CelValue.Of(value.IsFalse) : CelValue.Error;
    }
}

/// <summary>One of two by a condition.</summary>
internal sealed class ConditionNode(CelNode condition, CelNode yes, CelNode no) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue value = condition.Eval(ref run);
        return value.Kind != CelKind.Bool ? CelValue.Error : value.IsTrue ? yes.Eval(ref run) : no.Eval(ref run);
    }
}

/// <summary>Equality.</summary>
internal sealed class EqualNode(CelNode left, CelNode right, bool equal) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue same = CelValue.Equal(left.Eval(ref run), right.Eval(ref run), ref run);
        return same.Kind == CelKind.Error ? same : CelValue.Of(same.IsTrue == equal);
    }
}

/// <summary>An attribute's text in a list of constant texts: the common form of policies.</summary>
internal sealed class OneOfNode(CelNode operand, byte[][] texts) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue value = operand.Eval(ref run);
        if (value.Kind == CelKind.Error)
            return value;
        if (value.Kind != CelKind.String)
            return CelValue.Of(false);
        foreach (byte[] text in texts)
        {
            if (value.Text.SequenceEqual(text))
                return CelValue.Of(true);
        }
        return CelValue.Of(false);
    }
}

/// <summary>Membership.</summary>
internal sealed class InNode(CelNode item, CelNode of) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue value = item.Eval(ref run);
        return value.Kind == CelKind.Error ? value : CelCollections.Contains(of.Eval(ref run), value, ref run);
    }
}

/// <summary>Order.</summary>
internal sealed class OrderNode(CelNode left, CelNode right, string op) : CelNode
{
    private readonly bool _less = op[1] == '<', _equal = op.Length == 4;

    public override CelValue Eval(scoped ref CelRun run)
    {
        if (!CelValue.TryCompare(left.Eval(ref run), right.Eval(ref run), out int order))
            return CelValue.Error;
        return CelValue.Of(order == 0 ? _equal : order < 0 == _less);
    }
}
