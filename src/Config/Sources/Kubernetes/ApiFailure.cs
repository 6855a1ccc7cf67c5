namespace Lateen.Config.Sources.Kubernetes;

/// <summary>Why an API server did not do what it was asked. A value: an API server that is away is nothing exceptional.</summary>
/// <param name="Status">The HTTP status; 0 when there was no answer.</param>
/// <param name="Reason">The API's word, as <c>Expired</c> or <c>Conflict</c>; empty when there is none.</param>
/// <param name="Text">For a person.</param>
/// <param name="RetryAfter">How long the server wants to be left alone.</param>
public sealed record ApiFailure(int Status, string Reason, string Text, TimeSpan? RetryAfter = null)
{
    /// <summary>The asked version is no longer kept: everything has to be listed anew.</summary>
    public bool IsGone => Status == 410 || Reason is "Expired" or "Gone";

    public bool IsAbsent => Status == 404;

    public bool IsForbidden => Status is 401 or 403;

    /// <summary>Somebody else changed the object meanwhile, or it is there already.</summary>
    public bool IsConflict => Status == 409;

    public bool IsUnreachable => Status == 0;

    public override string ToString() =>
        Status == 0 ? Text : $"{Status} {Reason} {Text}".Replace("  ", " ", StringComparison.Ordinal).TrimEnd();
}

/// <summary>A value, or why there is none.</summary>
public readonly record struct ApiResult<T>(T? Value, ApiFailure? Failure)
    where T : class
{
    public static implicit operator ApiResult<T>(T value) => new(value, null);

    public static implicit operator ApiResult<T>(ApiFailure failure) => new(null, failure);
}
