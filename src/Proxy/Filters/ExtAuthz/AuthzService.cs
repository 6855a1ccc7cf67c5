using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Tcp;

namespace Lateen.Proxy.Filters.ExtAuthz;

/// <summary>Who waits for the server.</summary>
public abstract class AuthzReceiver
{
    /// <summary>It has answered, or failed; once, never inside the question.</summary>
    public abstract void OnAnswer(AuthzAnswer answer);
}

/// <summary>What goes to the server beside the request.</summary>
/// <param name="Extensions">The route's own words.</param>
/// <param name="SendsBody">The body goes along.</param>
/// <param name="BodyIsCut">What goes along is not all of it.</param>
public readonly record struct AuthzContext(IReadOnlyDictionary<string, string> Extensions, bool SendsBody, bool BodyIsCut);

/// <summary>The server, as a filter sees it; one for all workers.</summary>
public abstract class AuthzService
{
    /// <summary>A call that is used again and again by one slot.</summary>
    public abstract AuthzCall NewCall(AuthzReceiver receiver);
}

/// <summary>One question at a time.</summary>
public abstract class AuthzCall
{
    /// <summary>Asks about a request, with as much of its body as shall go along.</summary>
    public abstract void Ask(Exchange exchange, in AuthzContext context, ReadOnlySpan<byte> body);

    /// <summary>Asks about a connection.</summary>
    public abstract void Ask(TcpSession session);

    /// <summary>Gives the question up; harmless where there is none.</summary>
    public abstract void Cancel();
}
