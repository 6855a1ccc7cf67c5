using System.Net.Http;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;

namespace Lateen.ControlPlane.Cluster;

/// <summary>Something that the cluster should hold. A newer wish for the same object replaces one that waits.</summary>
/// <param name="Key">The object that it is about.</param>
public abstract record ClusterWish(ResourceKey Key)
{
    /// <summary>What is written, for messages: "the status of VirtualService shop/web".</summary>
    public abstract string Subject { get; }

    /// <summary>Makes it so, where it is not so already.</summary>
    public abstract Task<WishEnd> FulfilAsync(ClusterObjects objects, CancellationToken cancel);
}

/// <summary>How fulfilling a wish ended.</summary>
/// <param name="HasWritten">Something was written; false where all was so already.</param>
/// <param name="Failure">Why it could not be; null where it is so now, or its object is gone.</param>
public readonly record struct WishEnd(bool HasWritten, ApiFailure? Failure = null)
{
    /// <summary>All is as wished.</summary>
    public static readonly WishEnd Nothing;

    /// <summary>After a request that writes.</summary>
    public static WishEnd Of(ApiResult<JsonDocument> written)
    {
        written.Value?.Dispose();
        return new WishEnd(written.Value is not null, written.Failure);
    }
}

/// <summary>The cluster's objects as those who write see them: single reads and writes, by path.</summary>
public sealed class ClusterObjects(ApiClient client, TimeProvider time)
{
    private readonly ApiResources _resources = new(client, time);

    /// <summary>The time.</summary>
    public DateTimeOffset Now => time.GetUtcNow();

    /// <summary>The version in which a kind is served; neither value nor failure where it is not.</summary>
    public Task<ApiResult<ServedKind>> FindAsync(ResourceKind kind, CancellationToken cancel) => _resources.FindAsync(kind, cancel);

    /// <summary>The object at a path; neither value nor failure where there is none.</summary>
    public async Task<ApiResult<JsonObject>> ReadAsync(string path, CancellationToken cancel)
    {
        ApiResult<JsonDocument> read = await client.GetAsync(path, cancel);
        if (read.Failure is { } failure) return failure.IsAbsent ? default(ApiResult<JsonObject>) : failure;
        using JsonDocument document = read.Value!;
        return JsonObject.Create(document.RootElement.Clone())!;
    }

    /// <summary>Creates an object in a collection.</summary>
    public Task<ApiResult<JsonDocument>> CreateAsync(string collection, JsonObject written, CancellationToken cancel) =>
        client.SendAsync(HttpMethod.Post, collection, written.ToJsonString(), ApiClient.Json, cancel);

    /// <summary>Replaces an object; it has to carry the version that was read.</summary>
    public Task<ApiResult<JsonDocument>> ReplaceAsync(string path, JsonObject written, CancellationToken cancel) =>
        client.SendAsync(HttpMethod.Put, path, written.ToJsonString(), ApiClient.Json, cancel);

    /// <summary>Writes single members over an object (RFC 7396).</summary>
    public Task<ApiResult<JsonDocument>> MergeAsync(string path, JsonObject members, CancellationToken cancel) =>
        client.SendAsync(HttpMethod.Patch, path, members.ToJsonString(), ApiClient.MergePatch, cancel);

    /// <summary>Server-side apply: what the writer named before and names no more goes, what others wrote stays.</summary>
    public Task<ApiResult<JsonDocument>> ApplyAsync(string path, JsonObject written, string fieldManager, CancellationToken cancel) =>
        client.SendAsync(HttpMethod.Patch, $"{path}?fieldManager={Uri.EscapeDataString(fieldManager)}&force=true", written.ToJsonString(),
            ApiClient.ApplyPatch, cancel);
}
