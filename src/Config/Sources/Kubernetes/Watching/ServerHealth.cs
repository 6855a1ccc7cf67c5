namespace Lateen.Config.Sources.Kubernetes.Watching;

/// <summary>Whether the API server answers, told once when that changes and not by each of some thirty watches.</summary>
internal sealed class ServerHealth(string server, TimeProvider time, Action<string> say)
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _refusals = [];
    private DateTimeOffset? _awaySince;

    /// <summary>A request about something was answered (null), or failed.</summary>
    public void Heard(string about, ApiFailure? failure)
    {
        lock (_lock)
        {
            if (failure is { IsUnreachable: true } or { Status: >= 500 }) Away(failure);
            else if (failure is null or { IsGone: false }) Back();
            if (failure is { IsForbidden: true } && _refusals.Add(about))
            {
                say($"warn\tkube\t{server} does not let this account read {about}: {failure.Text}; it is asked again until it does");
            }
            else if (failure is null && _refusals.Remove(about)) say($"info\tkube\t{server} lets this account read {about} now");
        }
    }

    private void Away(ApiFailure failure)
    {
        if (_awaySince is null)
        {
            _awaySince = time.GetUtcNow();
            say($"warn\tkube\t{server} does not answer ({failure}); what is known stays in force");
        }
    }

    private void Back()
    {
        if (_awaySince is { } since)
        {
            _awaySince = null;
            say($"info\tkube\t{server} answers again after {(time.GetUtcNow() - since).TotalSeconds:0.0} s");
        }
    }
}
