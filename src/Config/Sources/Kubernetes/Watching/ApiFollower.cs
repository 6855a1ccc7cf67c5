using System.Globalization;

namespace Lateen.Config.Sources.Kubernetes.Watching;

/// <summary>What to follow.</summary>
/// <param name="Path">Of the list, without a query.</param>
/// <param name="Selector">A field selector; empty for all objects.</param>
/// <param name="Accept">The form in which objects are wanted.</param>
public sealed record FollowedPath(string Path, string Selector = "", string Accept = ApiClient.Json);

/// <summary>Drives a <see cref="ListWatch"/> against a server: the requests, the waiting and nothing else.</summary>
/// <param name="client">The server.</param>
/// <param name="machine">What to do next.</param>
/// <param name="time">The clock of the waits.</param>
/// <param name="chance">Spreads the ends of watches.</param>
/// <param name="told">Takes what became known, in order.</param>
/// <param name="failed">Hears of each failure; null when the server answered.</param>
internal sealed class ApiFollower(ApiClient client, ListWatch machine, TimeProvider time, Random chance, Func<KindChange, ValueTask> told,
    Action<ApiFailure?> failed)
{
    private const int PageItems = 500;

    /// <summary>Follows the path until it is not served (any more).</summary>
    public async Task UntilAbsentAsync(FollowedPath path, CancellationToken stop)
    {
        while (true)
        {
            var now = time.GetUtcNow();
            var isServed = machine.Next(now) switch
            {
                WatchStep.Wait wait => await WaitAsync(wait.Until - now, stop).ConfigureAwait(false),
                WatchStep.List list => await ListAsync(path, list, stop).ConfigureAwait(false),
                WatchStep.Watch watch => await WatchAsync(path, watch.Version, stop).ConfigureAwait(false),
                _ => throw new Lateen.Api.InvariantException("a step that nobody knows"),
            };
            if (!isServed) return;
        }
    }

    /// <summary>Waits as the machine says after a failure that happened outside of it.</summary>
    public async Task FailedAsync(ApiFailure failure, CancellationToken stop)
    {
        machine.Failed(failure, time.GetUtcNow());
        failed(failure);
        if (machine.Next(time.GetUtcNow()) is WatchStep.Wait wait)
            await WaitAsync(wait.Until - time.GetUtcNow(), stop).ConfigureAwait(false);
    }

    private async Task<bool> WaitAsync(TimeSpan span, CancellationToken stop)
    {
        await Task.Delay(span > TimeSpan.Zero ? span : TimeSpan.Zero, time, stop).ConfigureAwait(false);
        return true;
    }

    private async Task<bool> ListAsync(FollowedPath path, WatchStep.List step, CancellationToken stop)
    {
        var query = (step.InPages ? string.Create(CultureInfo.InvariantCulture, $"?limit={PageItems}") : "?limit=0")
            + (step.Continue.Length > 0 ? "&continue=" + Uri.EscapeDataString(step.Continue) : "") + Selector(path);
        var answer = await client.ListAsync(path.Path + query, stop, path.Accept).ConfigureAwait(false);
        if (answer.Failure is { } failure) return Failed(failure);
        failed(null);
        if (machine.Listed(answer.Value!) is { } change) await told(change).ConfigureAwait(false);
        return true;
    }

    private async Task<bool> WatchAsync(FollowedPath path, string version, CancellationToken stop)
    {
        // As Kubernetes' own clients: five to ten minutes, so that watches move over to another server and not all at once.
        var query = string.Create(CultureInfo.InvariantCulture,
            $"?watch=1&allowWatchBookmarks=true&resourceVersion={Uri.EscapeDataString(version)}&timeoutSeconds={chance.Next(300, 600)}");
        var answer = await client.WatchAsync(path.Path + query + Selector(path), time, stop,
            path.Accept.Replace("MetadataList", "Metadata", StringComparison.Ordinal)).ConfigureAwait(false);
        if (answer.Failure is { } refused) return Failed(refused);
        failed(null);
        using var lines = answer.Value!;
        while (true)
        {
            var read = await lines.NextAsync(stop).ConfigureAwait(false);
            if (read.Failure is { } failure) return Failed(failure);
            if (read.Value is not { } said)
            {
                machine.Ended(time.GetUtcNow());
                return true;
            }

            if (machine.Told(said, time.GetUtcNow()) is { } change) await told(change).ConfigureAwait(false);
            if (said.Failure is not null) return true;
        }
    }

    private bool Failed(ApiFailure failure)
    {
        if (failure.IsAbsent) return false;
        machine.Failed(failure, time.GetUtcNow());
        failed(failure);
        return true;
    }

    private static string Selector(FollowedPath path) =>
        path.Selector.Length > 0 ? "&fieldSelector=" + Uri.EscapeDataString(path.Selector) : "";
}
