namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>Why something can't be served, in the words of a condition.</summary>
/// <param name="Reason">The API's word.</param>
/// <param name="Message">For a person.</param>
internal sealed record Problem(string Reason, string Message)
{
    /// <summary>Another namespace has not agreed.</summary>
    public const string RefNotPermitted = "RefNotPermitted";

    /// <summary>What is referred to is not there.</summary>
    public const string BackendNotFound = "BackendNotFound";

    /// <summary>Such a thing can't be referred to here.</summary>
    public const string InvalidKind = "InvalidKind";

    /// <summary>A destination says what it may not.</summary>
    public const string InvalidDestination = "InvalidDestination";

    /// <summary>A filter says what it may not, or is not served.</summary>
    public const string InvalidFilter = "InvalidFilter";

    /// <summary>An address that can't be had.</summary>
    public const string UnsupportedAddress = "UnsupportedAddress";

    /// <summary>A bad destination alone: the rest of the route is served, and what would go there is refused.</summary>
    public bool IsOfBackend => Reason is RefNotPermitted or BackendNotFound or InvalidKind;

    /// <summary>Both, where there are two.</summary>
    public static Problem? Join(Problem? first, Problem? second) => (first, second) switch
    {
        (null, _) => second,
        (_, null) => first,
        _ => first with { Message = $"{first.Message}; {second.Message}" },
    };
}
