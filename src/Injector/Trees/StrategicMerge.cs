// Trees: pods and other objects as JSON trees, and Kubernetes' strategic merge. What a template says is laid over a pod, what a user says
// over what a template said: objects field by field, lists with a key item by item, all others as a whole; null deletes, and directives
// ($patch, $deleteFromPrimitiveList, $retainKeys, $setElementOrder) mean what they mean to kubectl.
//
// Works on JSON trees, so that nothing is lost that this build has no type for. It changes the tree that it is given and hands it back;
// patches are read and copied.
// Refused: JSON merge patches, which would make a user who changes one container write all of them.
using System.Text.Json.Nodes;

namespace Lateen.Injector.Trees;

/// <summary>Lays patches over objects.</summary>
internal static class StrategicMerge
{
    private const string Directive = "$patch";

    /// <summary>Lays a patch over an object, which is changed.</summary>
    public static JsonObject Apply(JsonObject target, JsonObject patch, MergeSchema schema)
    {
        switch (patch[Directive]?.ToString())
        {
            case "replace":
                target.Clear();
                foreach (var (name, value) in patch.Where(entry => entry.Key != Directive)) target[name] = Clean(value);
                return target;
            case "delete":
                target.Clear();
                return target;
        }
        if (patch["$retainKeys"] is JsonArray retained)
        {
            var kept = retained.Select(name => name?.ToString()).ToHashSet();
            foreach (var name in target.Select(entry => entry.Key).Where(name => !kept.Contains(name)).ToArray()) target.Remove(name);
        }
        foreach (var (name, value) in patch.Where(entry => !entry.Key.StartsWith('$'))) Field(target, name, value, schema);
        foreach (var (name, value) in patch.Where(entry => entry.Key.StartsWith("$deleteFromPrimitiveList/", StringComparison.Ordinal)))
            Delete(target, name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..], value);
        foreach (var (name, value) in patch.Where(entry => entry.Key.StartsWith("$setElementOrder/", StringComparison.Ordinal)))
            Order(target, name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..], value, schema);
        return target;
    }

    private static void Field(JsonObject target, string name, JsonNode? value, MergeSchema schema)
    {
        switch (value)
        {
            case null:
                target.Remove(name);
                break;
            case JsonObject inner when target[name] is JsonObject below:
                Apply(below, inner, schema.Child(name));
                break;
            case JsonArray items when schema.Keys.TryGetValue(name, out var key):
                target[name] = Items(target[name] as JsonArray, items, key, schema.Child(name));
                break;
            case JsonArray words when schema.Sets.Contains(name) && target[name] is JsonArray known:
                foreach (var word in words.Where(word => !known.Any(other => JsonNode.DeepEquals(other, word))).ToArray())
                    known.Add(word?.DeepClone());
                break;
            default:
                target[name] = Clean(value);
                break;
        }
    }

    private static JsonArray Items(JsonArray? below, JsonArray patch, string key, MergeSchema schema)
    {
        if (patch.Any(item => item is JsonObject whole && whole.Count == 1 && whole[Directive]?.ToString() == "replace")) below = null;
        List<JsonObject> known = [.. (below ?? []).OfType<JsonObject>()];
        below?.Clear();
        var (order, said) = (known.Select(item => Key(item, key)).ToList(), new List<JsonObject>());
        foreach (var item in patch.OfType<JsonObject>().Where(item => !(item.Count == 1 && item.ContainsKey(Directive))))
        {
            var at = key.Length > 0 ? known.FindIndex(candidate => Key(candidate, key) == Key(item, key)) : -1;
            var target = at >= 0 ? known[at] : null;
            if (at >= 0) known.RemoveAt(at);
            if (item[Directive]?.ToString() == "delete") continue;
            // An item that the patch names twice is one.
            target ??= key.Length > 0 ? said.Find(candidate => Key(candidate, key) == Key(item, key)) : null;
            if (target is null) said.Add((JsonObject)Clean(item)!);
            else
            {
                if (schema.IsOneOf) OneOf(target, item, key, schema);
                else Apply(target, item, schema);
                if (!said.Contains(target)) said.Add(target);
            }
        }
        return Interleaved(known, said, order, key);
    }

    // The patch's items in the patch's order; of the others, each stands before the first of those that it stood before.
    private static JsonArray Interleaved(List<JsonObject> others, List<JsonObject> said, List<string> order, string key)
    {
        var (merged, next) = (new JsonArray(), 0);
        foreach (var item in said)
        {
            var place = order.IndexOf(Key(item, key));
            while (place >= 0 && next < others.Count && order.IndexOf(Key(others[next], key)) < place) merged.Add(others[next++]);
            merged.Add(item);
        }
        foreach (var other in others.Skip(next)) merged.Add(other);
        return merged;
    }

    // Of what excludes each other, what the patch says takes the place of what was there.
    private static void OneOf(JsonObject known, JsonObject patch, string key, MergeSchema schema)
    {
        string[] said = [.. patch.Where(entry => entry.Value is not null && entry.Key != key && !entry.Key.StartsWith('$'))
            .Select(entry => entry.Key)];
        if (said.Length > 0)
        {
            foreach (var other in known.Select(entry => entry.Key).Where(name => name != key && !said.Contains(name)).ToArray())
                known.Remove(other);
        }
        Apply(known, patch, schema);
    }

    private static void Delete(JsonObject target, string name, JsonNode? words)
    {
        if (target[name] is not JsonArray known || words is not JsonArray unwanted) return;
        foreach (var word in known.Where(word => unwanted.Any(other => JsonNode.DeepEquals(other, word))).ToArray()) known.Remove(word);
    }

    private static void Order(JsonObject target, string name, JsonNode? order, MergeSchema schema)
    {
        if (target[name] is not JsonArray known || order is not JsonArray wanted) return;
        var key = schema.Keys.GetValueOrDefault(name, "");
        var places = wanted.Select(item => item is JsonObject with ? Key(with, key) : item?.ToString() ?? "").ToList();
        var sorted = known.OrderBy(
            item => places.IndexOf(item is JsonObject with ? Key(with, key) : item?.ToString() ?? "") is >= 0 and var place
                ? place : int.MaxValue).ToArray();
        known.Clear();
        foreach (var item in sorted) known.Add(item);
    }

    private static string Key(JsonObject item, string key) => item[key]?.ToString() ?? "";

    // What is new has neither directives nor fields that are deleted.
    private static JsonNode? Clean(JsonNode? value)
    {
        switch (value)
        {
            case JsonObject map:
                var clean = new JsonObject();
                foreach (var (name, inner) in map.Where(entry => entry.Value is not null && !entry.Key.StartsWith('$')))
                    clean[name] = Clean(inner);
                return clean;
            case JsonArray list:
                return new JsonArray([.. list.Where(item => item is not null).Select(Clean)]);
            default:
                return value?.DeepClone();
        }
    }
}
