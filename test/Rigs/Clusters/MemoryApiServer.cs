using System.IO.Pipelines;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Web;
using Lateen.Config.Resources;

namespace Lateen.Test.Rigs.Clusters;

/// <summary>
/// An API server in memory, as far as a mesh asks one: discovery, lists in pages, watches with bookmarks, versions that are forgotten,
/// create, merge patch, server-side apply and delete with conflicts. It can go away, come back, lose its history, tell an event twice, and
/// forbid.
/// </summary>
internal sealed class MemoryApiServer : HttpMessageHandler
{
    private sealed record Change(long Version, string Collection, string Type, JsonObject Object);

    private sealed record Watcher(string Collection, string? Namespace, PipeWriter Out);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, ResourceKind?> _collections = [];
    private readonly SortedDictionary<string, JsonObject> _objects = new(StringComparer.Ordinal);
    private readonly List<Change> _history = [];
    private readonly List<Watcher> _watchers = [];
    private long _version = 1;
    private long _oldest;

    /// <summary>Nobody is reached.</summary>
    public bool IsAway { get; private set; }

    /// <summary>Plurals that this account may not read.</summary>
    public HashSet<string> Forbidden { get; } = [];

    /// <summary>Requests by method and path, without the query.</summary>
    public List<string> Requests { get; } = [];

    /// <summary>Called with method and path before a request is looked at: the moment at which somebody else may write.</summary>
    public Action<string>? Asked { get; set; }

    /// <summary>Items that a page may have at most.</summary>
    public int PageItemsMax { get; set; } = 500;

    public MemoryApiServer(params IEnumerable<ResourceKind> kinds)
    {
        foreach (var kind in kinds) Install(kind);
    }

    public static Uri Address { get; } = new("https://memory.test/");

    public int WatchCount
    {
        get
        {
            lock (_lock) return _watchers.Count;
        }
    }

    /// <summary>Serves a kind from now on.</summary>
    public void Install(ResourceKind kind, string? version = null)
    {
        lock (_lock) _collections[Collection(kind, version ?? kind.Versions[0])] = kind;
        Put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "", $"{kind.Plural}.{kind.Group}", new JsonObject());
    }

    /// <summary>Serves a collection that the mesh reads no resources from, as leases.</summary>
    public void Serve(string collection)
    {
        lock (_lock) _collections[collection] = null;
    }

    /// <summary>An object of such a collection.</summary>
    public JsonObject? Get(string collection, string ns, string name)
    {
        lock (_lock) return _objects.GetValueOrDefault(Key(collection, ns, name))?.DeepClone().AsObject();
    }

    /// <summary>Deletes an object of such a collection.</summary>
    public void Delete(string collection, string ns, string name)
    {
        lock (_lock) Remove(collection, ns, name);
    }

    /// <summary>Creates or replaces an object.</summary>
    public void Put(ResourceKind kind, string ns, string name, string json = "{}") =>
        Put(Collection(kind, Served(kind)), ns, name, JsonNode.Parse(json)!.AsObject());

    public void Delete(ResourceKind kind, string ns, string name)
    {
        lock (_lock) Remove(Collection(kind, Served(kind)), ns, name);
    }

    /// <summary>The object as it is kept now.</summary>
    public JsonObject? Get(ResourceKind kind, string ns, string name)
    {
        lock (_lock) return _objects.GetValueOrDefault(Key(Collection(kind, Served(kind)), ns, name))?.DeepClone().AsObject();
    }

    /// <summary>Goes away: every watch breaks, and nobody is reached until <see cref="Return"/>.</summary>
    public void GoAway()
    {
        lock (_lock)
        {
            IsAway = true;
            End(_watchers, new IOException("connection reset"));
        }
    }

    /// <summary>Is back.</summary>
    public void Return() => IsAway = false;

    /// <summary>Forgets what happened until now: who goes on from there is told 410.</summary>
    public void Compact()
    {
        lock (_lock)
        {
            (_oldest, _version) = (_version + 1, _version + 1);
            _history.Clear();
        }
    }

    /// <summary>Ends every watch, in order or with an error event.</summary>
    public void EndWatches(bool expired)
    {
        lock (_lock)
        {
            foreach (var watcher in expired ? _watchers : [])
            {
                Write(watcher,
                    """{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired","code":410,"message":"too old resource version"}}""");
            }

            End(_watchers, null);
        }
    }

    /// <summary>Tells the last change of a kind once more.</summary>
    public void TellAgain(ResourceKind kind)
    {
        lock (_lock)
        {
            if (_history.LastOrDefault(c => c.Collection == Collection(kind, Served(kind))) is { } last) Tell(last);
        }
    }

    public void TellBookmark(ResourceKind kind)
    {
        lock (_lock)
        {
            foreach (var watcher in _watchers.Where(w => w.Collection == Collection(kind, Served(kind))))
            {
                Write(watcher, new JsonObject
                {
                    ["type"] = "BOOKMARK",
                    ["object"] = new JsonObject { ["metadata"] = new JsonObject { ["resourceVersion"] = $"{_version}" } },
                }.ToJsonString());
            }
        }
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var body = request.Content is null ? null : await request.Content.ReadAsStringAsync(cancellationToken);
        lock (_lock)
        {
            var path = request.RequestUri!.AbsolutePath;
            Requests.Add($"{request.Method} {path}");
            Asked?.Invoke(Requests[^1]);
            if (IsAway) throw new HttpRequestException("connection refused");
            return Answer(request.Method.Method, path, HttpUtility.ParseQueryString(request.RequestUri.Query),
                body is null ? null : JsonNode.Parse(body)!.AsObject());
        }
    }

    private HttpResponseMessage Answer(string method, string path, System.Collections.Specialized.NameValueCollection query,
        JsonObject? body)
    {
        if (path == "/apis")
        {
            var groups = _collections.Keys.Where(c => c.StartsWith("/apis/", StringComparison.Ordinal)).Select(c => c.Split('/'))
                .GroupBy(p => p[2]).Select(g => (JsonNode)new JsonObject
                {
                    ["name"] = g.Key, ["versions"] =
                        new JsonArray([.. g.Select(p => p[3]).Distinct().Select(v => (JsonNode)new JsonObject { ["version"] = v })]),
                });
            return Ok(new JsonObject { ["groups"] = new JsonArray([.. groups]) });
        }

        var below = _collections.Keys.Where(c => c[..c.LastIndexOf('/')] == path).ToArray();
        if (below.Length > 0)
            return Ok(new JsonObject { ["resources"] =
                new JsonArray([.. below.Select(c => (JsonNode)new JsonObject { ["name"] = c[(c.LastIndexOf('/') + 1)..] })]) });
        if (Target(path) is not { } target) return Refuse(404, "NotFound", $"there is no {path}");
        if (Forbidden.Contains(target.Collection[(target.Collection.LastIndexOf('/') + 1)..]))
            return Refuse(403, "Forbidden", "not for you");
        return (method, target.Name) switch
        {
            ("GET", "") when query["watch"] is not null =>
                Watch(target.Collection, target.Namespace, long.Parse(query["resourceVersion"]!)),
            ("GET", "") => List(target.Collection, target.Namespace, int.Parse(query["limit"] ?? "0"), query["continue"] ?? ""),
            ("GET", _) => _objects.TryGetValue(Key(target), out var found)
                ? Ok(found.DeepClone()) : Refuse(404, "NotFound", $"{target.Name} not found"),
            ("POST", "") => Create(target, body!),
            ("PATCH", _) when query["force"] is not null => Apply(target, body!, query["fieldManager"] ?? ""),
            ("PUT" or "PATCH", _) => Modify(method, target, body!),
            ("DELETE", _) => Remove(target.Collection, target.Namespace ?? "", target.Name)
                ? Ok(new JsonObject()) : Refuse(404, "NotFound", ""),
            _ => Refuse(405, "MethodNotAllowed", method),
        };
    }

    private (string Collection, string? Namespace, string Name)? Target(string path)
    {
        var parts = path.Split('/').ToList();
        var spaces = parts.IndexOf("namespaces");
        string? ns = null;
        if (spaces > 0 && parts.Count > spaces + 2)
        {
            ns = parts[spaces + 1];
            parts.RemoveRange(spaces, 2);
        }

        if (parts[^1] == "status") parts.RemoveAt(parts.Count - 1);
        var whole = string.Join('/', parts);
        const string definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        if (whole == definitions || _collections.ContainsKey(whole)) return (whole, ns, "");
        var collection = string.Join('/', parts.Take(parts.Count - 1));
        return _collections.ContainsKey(collection) ? (collection, ns, parts[^1]) : null;
    }

    private HttpResponseMessage List(string collection, string? ns, int limit, string token)
    {
        // A token holds the version of the list and the last key that was told.
        var (version, after) = token.Length > 0 && token.Split('|', 2) is [var v, var k] ? (long.Parse(v), k) : (_version, "");
        if (version < _oldest) return Refuse(410, "Expired", "the continue token is too old");
        var all = _objects.Where(o => Belongs(o.Value, o.Key, collection, ns) && string.CompareOrdinal(o.Key, after) > 0).ToArray();
        var most = limit > 0 ? Math.Min(limit, PageItemsMax) : int.MaxValue;
        var page = all.Take(most).ToArray();
        var metadata = new JsonObject { ["resourceVersion"] = $"{version}" };
        if (all.Length > page.Length) metadata["continue"] = $"{version}|{page[^1].Key}";
        return Ok(new JsonObject { ["metadata"] = metadata, ["items"] = new JsonArray([.. page.Select(p => p.Value.DeepClone())]) });
    }

    private HttpResponseMessage Watch(string collection, string? ns, long from)
    {
        if (from < _oldest - 1) return Refuse(410, "Expired", "too old resource version");
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        var watcher = new Watcher(collection, ns, pipe.Writer);
        _watchers.Add(watcher);
        foreach (var change in _history.Where(c => c.Version > from && c.Collection == collection)) Tell(watcher, change);
        return new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(pipe.Reader.AsStream()) };
    }

    private HttpResponseMessage Create((string Collection, string? Namespace, string Name) target, JsonObject body)
    {
        var name = (string)body["metadata"]!["name"]!;
        if (_objects.ContainsKey(Key(target.Collection, target.Namespace ?? "", name)))
            return Refuse(409, "AlreadyExists", $"{name} already exists");
        Put(target.Collection, target.Namespace ?? "", name, body);
        return Ok(_objects[Key(target.Collection, target.Namespace ?? "", name)].DeepClone());
    }

    private HttpResponseMessage Modify(string method, (string Collection, string? Namespace, string Name) target, JsonObject body)
    {
        if (!_objects.TryGetValue(Key(target), out var present)) return Refuse(404, "NotFound", $"{target.Name} not found");
        if ((string?)body["metadata"]?["resourceVersion"] is { } asked && asked != (string?)present["metadata"]!["resourceVersion"])
        {
            return Refuse(409, "Conflict", "the object has been modified");
        }

        var next = method == "PUT" ? body.DeepClone().AsObject() : Merge(present.DeepClone().AsObject(), body);
        Put(target.Collection, target.Namespace ?? "", target.Name, next);
        return Ok(_objects[Key(target)].DeepClone());
    }

    // Nothing is taken away that a manager names no more: no test asks for it.
    private HttpResponseMessage Apply((string Collection, string? Namespace, string Name) target, JsonObject body, string manager)
    {
        JsonObject? present = _objects.GetValueOrDefault(Key(target));
        if ((string?)body["metadata"]?["resourceVersion"] is { } asked && asked != (string?)present?["metadata"]!["resourceVersion"])
            return Refuse(409, "Conflict", "the object has been modified");
        var next = Merge(present?.DeepClone().AsObject() ?? [], body);
        next["metadata"]!["managedFields"] = new JsonArray(new JsonObject { ["manager"] = manager, ["operation"] = "Apply" });
        if (!JsonNode.DeepEquals(present, next)) Put(target.Collection, target.Namespace ?? "", target.Name, next);
        return Ok(_objects[Key(target)].DeepClone());
    }

    private static JsonObject Merge(JsonObject into, JsonObject patch)
    {
        foreach (var (name, value) in patch)
        {
            if (value is null) into.Remove(name);
            else if (value is JsonObject inner && into[name] is JsonObject present) Merge(present, inner);
            else into[name] = value.DeepClone();
        }

        return into;
    }

    /// <summary>Creates or replaces an object of such a collection.</summary>
    public void Put(string collection, string ns, string name, JsonObject json)
    {
        lock (_lock)
        {
            var key = Key(collection, ns, name);
            var isNew = !_objects.TryGetValue(key, out var before);
            var metadata = json["metadata"] as JsonObject ?? [];
            (metadata["name"], metadata["resourceVersion"]) = (name, $"{++_version}");
            metadata["creationTimestamp"] = (string?)before?["metadata"]?["creationTimestamp"] ?? "2026-01-01T00:00:00Z";
            metadata["generation"] = ((int?)before?["metadata"]?["generation"] ?? 0)
                + (JsonNode.DeepEquals(before?["spec"], json["spec"]) && !isNew ? 0 : 1);
            metadata["uid"] ??= (string?)before?["metadata"]?["uid"] ?? $"uid-{_version}";
            if (ns.Length > 0) metadata["namespace"] = ns;
            json["metadata"] = metadata.Parent is null ? metadata : metadata.DeepClone();
            _objects[key] = json;
            Remember(new Change(_version, collection, isNew ? "ADDED" : "MODIFIED", json.DeepClone().AsObject()));
        }
    }

    private bool Remove(string collection, string ns, string name)
    {
        if (!_objects.Remove(Key(collection, ns, name), out var gone)) return false;
        var last = gone.DeepClone().AsObject();
        last["metadata"]!["resourceVersion"] = $"{++_version}";
        Remember(new Change(_version, collection, "DELETED", last));
        return true;
    }

    private void Remember(Change change)
    {
        _history.Add(change);
        Tell(change);
    }

    private void Tell(Change change)
    {
        foreach (var watcher in _watchers.Where(w => w.Collection == change.Collection)) Tell(watcher, change);
    }

    private static void Tell(Watcher watcher, Change change)
    {
        if (watcher.Namespace is null || (string?)change.Object["metadata"]!["namespace"] == watcher.Namespace)
        {
            Write(watcher, new JsonObject { ["type"] = change.Type, ["object"] = change.Object.DeepClone() }.ToJsonString());
        }
    }

    private static void Write(Watcher watcher, string line)
    {
        watcher.Out.WriteAsync(Encoding.UTF8.GetBytes(line + "\n")).AsTask().GetAwaiter().GetResult();
    }

    private static void End(List<Watcher> watchers, Exception? why)
    {
        foreach (var watcher in watchers) watcher.Out.Complete(why);
        watchers.Clear();
    }

    private string Served(ResourceKind kind)
    {
        lock (_lock) return _collections.Single(c => c.Value == kind).Key.Split('/')[^2];
    }

    private static bool Belongs(JsonObject json, string key, string collection, string? ns) =>
        key.StartsWith(collection + "|", StringComparison.Ordinal) && (ns is null || (string?)json["metadata"]!["namespace"] == ns);

    private static string Collection(ResourceKind kind, string version) =>
        kind.Group.Length == 0 ? $"/api/{version}/{kind.Plural}" : $"/apis/{kind.Group}/{version}/{kind.Plural}";

    private static string Key((string Collection, string? Namespace, string Name) target) =>
        Key(target.Collection, target.Namespace ?? "", target.Name);

    private static string Key(string collection, string ns, string name) => $"{collection}|{ns}|{name}";

    private static HttpResponseMessage Ok(JsonNode json) => new(HttpStatusCode.OK) { Content = new StringContent(json.ToJsonString()) };

    private static HttpResponseMessage Refuse(int code, string reason, string message) => new((HttpStatusCode)code)
    {
        Content = new StringContent(new JsonObject
        {
            ["kind"] = "Status",
            ["status"] = "Failure",
            ["reason"] = reason,
            ["message"] = message,
            ["code"] = code,
        }.ToJsonString()),
    };
}
