using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;

namespace Lateen.Bench.Load.Mesh;

/// <summary>What the clients are waiting for: resources by type and name, each until every client has had it with a text inside.</summary>
internal sealed class Awaited(int clients)
{
    private readonly ConcurrentDictionary<(string Type, string Name), Waiting> _all = new();
    private readonly ConcurrentQueue<double> _milliseconds = new();

    private sealed record Waiting(byte[] Inside, long Since, bool[] Had, int[] Left, TaskCompletionSource Done);

    /// <summary>How long each that has come took to reach the last client, in milliseconds.</summary>
    public IReadOnlyCollection<double> Milliseconds => _milliseconds;

    /// <summary>How many have not reached everybody.</summary>
    public int Open => _all.Count;

    /// <summary>Completes when all clients have had it.</summary>
    public Task Add(string type, string name, string inside = "")
    {
        var waiting = new Waiting(Encoding.UTF8.GetBytes(inside), Stopwatch.GetTimestamp(), new bool[clients], [clients],
            new(TaskCreationOptions.RunContinuationsAsynchronously));
        _all[(type, name)] = waiting;
        return waiting.Done.Task;
    }

    /// <summary>A client has received a resource.</summary>
    public void Note(int client, string type, in DeltaResource resource)
    {
        if (_all.IsEmpty || !_all.TryGetValue((type, resource.Name), out Waiting? waiting) || waiting.Had[client]
            || resource.Body.Span.IndexOf(waiting.Inside) < 0)
            return;
        waiting.Had[client] = true;
        if (Interlocked.Decrement(ref waiting.Left[0]) > 0)
            return;
        _milliseconds.Enqueue(Stopwatch.GetElapsedTime(waiting.Since).TotalMilliseconds);
        _all.TryRemove(new((type, resource.Name), waiting));
        waiting.Done.SetResult();
    }

    /// <summary>Forgets what was measured.</summary>
    public void Clear()
    {
        _all.Clear();
        _milliseconds.Clear();
    }
}
