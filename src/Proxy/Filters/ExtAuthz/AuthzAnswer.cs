// ExtAuthz: a server decides (envoy.extensions.filters.http.ext_authz.v3, and its network form). AuthzService is the server, by HTTP here and by gRPC in Remote (it carries protobuf);
// both turn its answer into an AuthzAnswer, which the filter carries out. The exchange is held meanwhile, its worker is not; the call ends with the stream. Where the server
// fails, the configuration says whether that denies (the default) or allows. Never cached: the server may change its mind.
using System.Text.Json;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.ExtAuthz;

/// <summary>What the server said.</summary>
public enum AuthzVerdict : byte
{
    /// <summary>Nothing that counts.</summary>
    Error,
    Allowed,
    Denied,
}

/// <summary>How a header is changed.</summary>
public enum AuthzHeaderAction : byte
{
    /// <summary>The only line of its name.</summary>
    Set,

    /// <summary>One more line.</summary>
    Add,

    /// <summary>Joined to the line that is there; nothing where there is none.</summary>
    AppendIfPresent,

    /// <summary>Only where there is none.</summary>
    AddIfAbsent,

    /// <summary>Only where there is one.</summary>
    OverwriteIfPresent,
}

/// <summary>One change of a header.</summary>
/// <param name="Action">How.</param>
/// <param name="Name">In lower case.</param>
/// <param name="Value">The text.</param>
public readonly record struct AuthzHeader(AuthzHeaderAction Action, byte[] Name, byte[] Value)
{
    /// <summary>Carries it out.</summary>
    public void Apply(HeaderMap head)
    {
        bool present = head.TryGet(Name, out ReadOnlySpan<byte> before);
        switch (Action)
        {
            case AuthzHeaderAction.Set:
                head.Set(Name, Value);
                break;
            case AuthzHeaderAction.Add:
                head.Add(Name, Value);
                break;
            case AuthzHeaderAction.AppendIfPresent when present:
                head.Set(Name, (byte[])[.. before, (byte)',', .. Value]);
                break;
            case AuthzHeaderAction.AddIfAbsent when !present:
                head.Add(Name, Value);
                break;
            case AuthzHeaderAction.OverwriteIfPresent when present:
                head.Set(Name, Value);
                break;
        }
    }

    /// <summary>True where it could stand in a head.</summary>
    public bool IsValid => (HeaderRules.IsLowerToken(Name) || Name is [(byte)':', .. var rest] && HeaderRules.IsLowerToken(rest)) && HeaderRules.IsValue(Value);
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
    public IReadOnlyList<AuthzHeader> Headers { get; init; } = [];

    /// <summary>Request headers to take off, in lower case.</summary>
    public IReadOnlyList<byte[]> HeadersToRemove { get; init; } = [];

    /// <summary>Changes of the upstream's answer.</summary>
    public IReadOnlyList<AuthzHeader> ResponseHeaders { get; init; } = [];

    /// <summary>Query parameters to set.</summary>
    public IReadOnlyList<(byte[] Name, byte[] Value)> QueryToSet { get; init; } = [];

    /// <summary>Query parameters to take out.</summary>
    public IReadOnlyList<byte[]> QueryToRemove { get; init; } = [];

    /// <summary>What goes to dynamic metadata: an object; null for nothing.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Metadata { get; init; }

    /// <summary>Something of the request is changed that routes may look at.</summary>
    public bool ChangesRequest => Headers.Count + HeadersToRemove.Count + QueryToSet.Count + QueryToRemove.Count > 0;
}
