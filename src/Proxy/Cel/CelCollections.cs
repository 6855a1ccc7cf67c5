using System.Text.Json;
using Lateen.Proxy.Filters.Istio;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Cel;

/// <summary>Indexing, membership, size and equality of lists and maps, whatever they are made of.</summary>
internal static class CelCollections
{
    /// <summary>The value at a key or position; Error for none.</summary>
    public static CelValue At(scoped in CelValue of, scoped in CelValue key, scoped ref CelRun run)
    {
        if (of.Kind == CelKind.List)
            return key.Kind is CelKind.Int or CelKind.Uint ? Element(of, key.Number, ref run) : CelValue.Error;
        if (of.Kind != CelKind.Map)
            return CelValue.Error;
        if (of.Source is MapNode map)
            return map.Find(key, ref run);
        return key.Kind == CelKind.String ? Field(of, key.Text, ref run) : CelValue.Error;
    }

    /// <summary>The value of a text key.</summary>
    public static CelValue Field(scoped in CelValue of, ReadOnlySpan<byte> key, scoped ref CelRun run)
    {
        if (of.Kind != CelKind.Map)
            return CelValue.Error;
        switch (of.Source)
        {
            case null:
                return of.Json.TryGetProperty(key, out JsonElement inner) ? CelValue.Of(inner) : CelValue.Error;
            case HeaderMap head:
                return Header(head, key, ref run);
            case Metadata metadata:
                return Namespace(of, metadata, System.Text.Encoding.UTF8.GetString(key));
            case WorkloadPeer peer:
                return CelAttributes.Field(peer, key, ref run);
            case MapNode map:
                return map.Find(CelValue.String(key), ref run);
            case GroupNode group:
                return group.Find(System.Text.Encoding.UTF8.GetString(key), ref run);
            default:
                return CelValue.Error;
        }
    }

    /// <summary>A message of metadata asked for its one field, or that field's map for a namespace: no namespace is called like the
    /// field.</summary>
    public static CelValue Namespace(scoped in CelValue of, Metadata metadata, string key) =>
        key == "filter_metadata" ? of : CelValue.Of(metadata[key]);

    /// <summary>All lines of a header, joined by commas; Error where there is none.</summary>
    public static CelValue Header(HeaderMap head, ReadOnlySpan<byte> name, scoped ref CelRun run)
    {
        Span<byte> lower = run.Room(name.Length);
        HeaderRules.Lower(name, lower);
        ReadOnlySpan<byte> key = lower.SequenceEqual("host"u8) ? ":authority"u8 : lower;
        int first = head.IndexOf(key, 0);
        if (first < 0)
            return CelValue.Error;
        head.At(first, out _, out _, out ReadOnlySpan<byte> value);
        int next = head.IndexOf(key, first + 1);
        if (next < 0)
            return CelValue.String(value);
        var all = new List<byte>(value.ToArray());
        for (; next >= 0; next = head.IndexOf(key, next + 1))
        {
            head.At(next, out _, out _, out value);
            all.Add((byte)',');
            all.AddRange(value);
        }
        return CelValue.String(all.ToArray());
    }

    private static CelValue Element(scoped in CelValue list, long index, scoped ref CelRun run)
    {
        if (index < 0 || index >= Size(list))
            return CelValue.Error;
        return list.Source is ListNode node ? node.Elements[index].Eval(ref run) : CelValue.Of(list.Json[(int)index]);
    }

    /// <summary>Elements or entries; -1 where it has none to count.</summary>
    public static long Size(scoped in CelValue of) => of.Source switch
    {
        ListNode list => list.Elements.Length,
        MapNode map => map.Keys.Length,
        HeaderMap head => head.Count,
        null => of.Kind == CelKind.List ? of.Json.GetArrayLength() : of.Json.EnumerateObject().Count(),
        Metadata metadata => metadata.Namespaces.Count,
        _ => -1,
    };

    /// <summary>Membership: of a list's elements, of a map's keys.</summary>
    public static CelValue Contains(scoped in CelValue of, scoped in CelValue item, scoped ref CelRun run)
    {
        if (of.Kind == CelKind.Map)
            return CelValue.Of(item.Kind == CelKind.String && Field(of, item.Text, ref run).Kind != CelKind.Error);
        if (of.Kind != CelKind.List)
            return CelValue.Error;
        long size = Size(of);
        for (long i = 0; i < size; i++)
        {
            if (CelValue.Equal(Element(of, i, ref run), item, ref run).IsTrue)
                return CelValue.Of(true);
        }
        return CelValue.Of(false);
    }

    /// <summary>Lists by element; maps of JSON by their text, other maps never.</summary>
    public static CelValue Equal(scoped in CelValue a, scoped in CelValue b, scoped ref CelRun run)
    {
        if (a.Kind == CelKind.Map)
            return CelValue.Of(a.Source is null && b.Source is null && JsonElement.DeepEquals(a.Json, b.Json));
        long size = Size(a);
        if (size != Size(b))
            return CelValue.Of(false);
        for (long i = 0; i < size; i++)
        {
            CelValue same = CelValue.Equal(Element(a, i, ref run), Element(b, i, ref run), ref run);
            if (!same.IsTrue)
                return same;
        }
        return CelValue.Of(true);
    }
}
