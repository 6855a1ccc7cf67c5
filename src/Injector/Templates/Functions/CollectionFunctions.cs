using static Lateen.Injector.Templates.TemplateValues;
using ListOf = System.Collections.Generic.IReadOnlyList<object?>;
using MapOf = System.Collections.Generic.IReadOnlyDictionary<string, object?>;

namespace Lateen.Injector.Templates.Functions;

/// <summary>Lists and maps, as charts build them. Nothing is changed in place but by set and unset, whose purpose that is.</summary>
internal static class CollectionFunctions
{
    public static readonly Dictionary<string, TemplateFunction> Table = new(StringComparer.Ordinal)
    {
        ["list"] = a => a.ToList(),
        ["tuple"] = a => a.ToList(),
        ["append"] = a => List(a[0]).Append(a[1]).ToList(),
        ["push"] = a => List(a[0]).Append(a[1]).ToList(),
        ["prepend"] = a => List(a[0]).Prepend(a[1]).ToList(),
        ["concat"] = a => a.SelectMany(List).ToList(),
        ["first"] = a => List(a[0]) is [var first, ..] ? first : null,
        ["last"] = a => List(a[0]) is [.., var last] ? last : null,
        ["rest"] = a => List(a[0]).Skip(1).ToList(),
        ["initial"] = a => List(a[0]).SkipLast(1).ToList(),
        ["reverse"] = a => List(a[0]).Reverse().ToList(),
        ["has"] = a => List(a[1]).Any(item => AreEqual(item, a[0])),
        ["without"] = a => List(a[0]).Where(item => !a.Skip(1).Any(other => AreEqual(item, other))).ToList(),
        ["uniq"] = a => List(a[0]).DistinctBy(PlainText.Json).ToList(),
        ["compact"] = a => List(a[0]).Where(IsTrue).ToList(),
        ["sortAlpha"] = a => List(a[0]).Select(Text).Order(StringComparer.Ordinal).ToList<object?>(),
        ["join"] = a => string.Join(Text(a[0]), a[1] is ListOf list ? list.Where(item => item is not null).Select(Text) : [Text(a[1])]),
        ["toStrings"] = a => List(a[0]).Select(Text).ToList<object?>(),
        ["dict"] = a => Pairs(a, static value => value),
        ["get"] = a => Map(a[0]).GetValueOrDefault(Text(a[1]), ""),
        ["hasKey"] = a => Map(a[0]).ContainsKey(Text(a[1])),
        ["keys"] = a => a.SelectMany(map => Map(map).Keys).Order(StringComparer.Ordinal).ToList<object?>(),
        ["values"] = a => a.SelectMany(map => Sorted(Map(map))).Select(entry => entry.Value).ToList(),
        ["pluck"] = a => a.Skip(1).Select(Map).Where(map => map.ContainsKey(Text(a[0]))).Select(map => map[Text(a[0])]).ToList(),
        ["pick"] = a => Sorted(Map(a[0])).Where(entry => a.Skip(1).Any(key => Text(key) == entry.Key)).ToDictionary(StringComparer.Ordinal),
        ["dig"] = a => a.Take(a.Count - 2).Aggregate(a[^1], (of, key) => of is MapOf map ? map.GetValueOrDefault(Text(key)) : null)
            ?? a[^2],
        ["merge"] = a => a.Reverse()
            .Aggregate(new Dictionary<string, object?>(StringComparer.Ordinal), (below, map) => Over(below, Map(map))),
        ["mergeOverwrite"] = a =>
            a.Aggregate(new Dictionary<string, object?>(StringComparer.Ordinal), (below, map) => Over(below, Map(map))),
        ["set"] = a => Changed(a[0], map => map[Text(a[1])] = a[2]),
        ["unset"] = a => Changed(a[0], map => map.Remove(Text(a[1]))),
    };

    /// <summary>A list; none for nothing.</summary>
    public static ListOf List(object? value) => value switch
    {
        null or "" => [],
        ListOf list => list,
        _ => throw new TemplateException($"{Print(value)} is no list"),
    };

    /// <summary>A map; an empty one for nothing.</summary>
    public static MapOf Map(object? value) => value switch
    {
        null or "" => new TextMap(),
        MapOf map => map,
        GoObject with when with.Plain() is MapOf map => map,
        _ => throw new TemplateException($"{Print(value)} is no map"),
    };

    /// <summary>Keys and values by turns.</summary>
    public static Dictionary<string, object?> Pairs(ListOf arguments, Func<object?, object?> value)
    {
        var map = new Dictionary<string, object?>(StringComparer.Ordinal);
        for (var i = 0; i < arguments.Count; i += 2) map[Text(arguments[i])] = value(i + 1 < arguments.Count ? arguments[i + 1] : "");
        return map;
    }

    private static Dictionary<string, object?> Over(Dictionary<string, object?> below, MapOf over)
    {
        foreach (var (key, value) in over)
            below[key] = value is MapOf inner && below.GetValueOrDefault(key) is MapOf lower
                ? Over(lower.ToDictionary(StringComparer.Ordinal), inner) : value;
        return below;
    }

    private static object? Changed(object? of, Action<Dictionary<string, object?>> change)
    {
        if (of is not Dictionary<string, object?> map) throw new TemplateException("this map can't be changed");
        change(map);
        return map;
    }
}
