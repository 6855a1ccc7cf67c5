using System.Net;
using Lateen.Citadel.Callers;
using Lateen.ControlPlane.Hosting;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Debug;

/// <summary>Who may see debug pages: programs of this machine, and identities of the mesh's own namespace; others the pages of proxies of
/// their own namespace alone, which they could ask themselves.</summary>
/// <param name="writer">The loop that has the pages.</param>
/// <param name="callers">Tells who asks.</param>
/// <param name="time">The clock.</param>
/// <param name="features">Settings from the environment; all defaults when null.</param>
public sealed class DebugAccess(WriterLoop writer, CallerAuthentication callers, TimeProvider time, Features? features = null)
{
    private static readonly string[] OfOneProxy = ["config_dump", "ndsz", "edsz"];
    private readonly bool _asksWho = (features ?? Features.Default).Flag("ENABLE_DEBUG_ENDPOINT_AUTH", true);
    private readonly string[] _trusted = (features ?? Features.Default).Text("DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES", "")
        .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Pages are served on the HTTP address at all.</summary>
    public bool IsOnHttp { get; } = (features ?? Features.Default).Flag("ENABLE_DEBUG_ON_HTTP", true);

    /// <summary>The refusal of a request over HTTP; null where it may pass.</summary>
    /// <param name="context">The request.</param>
    /// <param name="page">The page's name; empty for the list of pages.</param>
    public async Task<DebugPage?> RefusalAsync(HttpContext context, string page)
    {
        IPAddress? peer = context.Connection.RemoteIpAddress;
        if (!_asksWho || peer is null || IPAddress.IsLoopback(peer) || page.Length == 0) return null;
        var headers = context.Request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(),
            header => (IReadOnlyList<string>)[.. header.Value.OfType<string>()]);
        (Caller? caller, _) = await callers.AuthenticateAsync(new CallerEvidence($"{peer}:{context.Connection.RemotePort}", [], headers),
            time.GetUtcNow(), context.RequestAborted);
        if (caller is null)
            return DebugPage.Refusal(StatusCodes.Status401Unauthorized, "debug pages are for this machine, and for who proves who he is");
        IQueryCollection query = context.Request.Query;
        bool may = await writer.AskAsync(
            (loop, _) => caller.Identities.Select(Identities.Parse)
                .Any(identity => identity is not null
                    && (_trusted.Contains(identity.Namespace) || MaySee(loop, identity, page, query))), context.RequestAborted);
        return may
            ? null : DebugPage.Refusal(StatusCodes.Status403Forbidden,
                $"the debug info is not available for current identity: \"{string.Join(' ', caller.Identities)}\"");
    }

    /// <summary>Whether an identity may see a page.</summary>
    internal static bool MaySee(ControlLoop loop, Identity identity, string page, IQueryCollection query) =>
        identity.Namespace == loop.RootNamespace
            || (OfOneProxy.Contains(page)
                && ProxyPages.Named(loop, query["proxyID"].ToString())?.Session.Node?.Namespace == identity.Namespace);
}
