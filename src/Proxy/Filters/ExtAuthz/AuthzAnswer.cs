// ExtAuthz: a server decides (envoy.extensions.filters.http.ext_authz.v3, and its network form). AuthzService is the server, by HTTP here
// and by gRPC in Remote (it carries protobuf);
// both turn its answer into an AuthzAnswer, which the filter carries out. The exchange is held meanwhile, its worker is not; the call ends
// with the stream. Where the server fails, the configuration says whether that denies (the default) or allows. Never cached: the server may
// change its mind.
using System.Text.Json;
using Lateen.Proxy.Filters.Edits;

namespace Lateen.Proxy.Filters.ExtAuthz;

/// <summary>What the server said.</summary>
public enum AuthzVerdict : byte
{
    /// <summary>Nothing that counts.</summary>
    Error,
    Allowed,
    Denied,
}

/// <summary>An answer, ready to be carried out.</summary>
public sealed class AuthzAnswer
{
    /// <summary>A failure of the server.</summary>
    public static readonly AuthzAnswer Failed = new() { Verdict = AuthzVerdict.Error };

    /// <summary>What it said.</summary>
    public required AuthzVerdict Verdict { get; init; }

    /// <summary>The status of a denial.</summary>
    public int Status { get; init; } = 403;

    /// <summary>The body of a denial.</summary>
    public byte[] Body { get; init; } = [];

    /// <summary>Changes of the request (allowed), or headers of the answer (denied).</summary>
    public IReadOnlyList<HeaderEdit> Headers { get; init; } = [];

    /// <summary>Request headers to take off, in lower case.</summary>
    public IReadOnlyList<byte[]> HeadersToRemove { get; init; } = [];

    /// <summary>Changes of the upstream's answer.</summary>
    public IReadOnlyList<HeaderEdit> ResponseHeaders { get; init; } = [];

    /// <summary>Query parameters to set.</summary>
    public IReadOnlyList<(byte[] Name, byte[] Value)> QueryToSet { get; init; } = [];

    /// <summary>Query parameters to take out.</summary>
    public IReadOnlyList<byte[]> QueryToRemove { get; init; } = [];

    /// <summary>What goes to dynamic metadata: an object; null for nothing.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Metadata { get; init; }

    /// <summary>Something of the request is changed that routes may look at.</summary>
    public bool ChangesRequest => Headers.Count + HeadersToRemove.Count + QueryToSet.Count + QueryToRemove.Count > 0;
}
