// Operator: the API behind the operator's verbs and the console, under /lateen/v1/ on the HTTP address. JSON in and out; every answer that
// says no is a Refusal with what to do. It decodes nothing and decides nothing itself: it carries requests to the ControlLoop and prints
// what it says.
//
// Refused: speaking the Kubernetes API here (a large promise kept badly); gRPC (curl and browsers are users, too).
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Lateen.ControlPlane.Operator;

/// <summary>A text with resources in it and the name it is known by in messages.</summary>
public sealed record SourceText(string Name, string Text);

/// <summary>Asks for resources to be created or changed: all of them in one revision, or none.</summary>
/// <param name="Sources">The texts, in order.</param>
/// <param name="Namespace">The namespace of those that name none.</param>
/// <param name="DryRun">Validate and compare only.</param>
/// <param name="Author">Who asks; kept in the history.</param>
/// <param name="Observed">What is told was seen rather than decided, as a cluster's endpoints are: it is no revision and gone with a
/// restart.</param>
public sealed record ApplyRequest(IReadOnlyList<SourceText> Sources, string? Namespace, bool DryRun, string? Author, bool Observed = false);

/// <summary>Asks for resources to be removed, by their names or by the texts they came from.</summary>
/// <param name="Targets">kind/name pairs, or none.</param>
/// <param name="Sources">Texts whose resources are meant, or none.</param>
/// <param name="Namespace">The namespace of those that name none.</param>
/// <param name="DryRun">Tell only.</param>
/// <param name="IgnoreNotFound">What is not there is no mistake.</param>
/// <param name="Author">Who asks.</param>
public sealed record DeleteRequest(IReadOnlyList<Target> Targets, IReadOnlyList<SourceText> Sources, string? Namespace, bool DryRun,
    bool IgnoreNotFound, string? Author);

/// <summary>A resource by kind (any spelling of it) and name.</summary>
public sealed record Target(string Kind, string Name);

/// <summary>Asks for the configuration of an earlier revision to hold again, as a new revision.</summary>
public sealed record RollbackRequest(long Revision, bool DryRun, string? Author);

/// <summary>What a change came to.</summary>
/// <param name="Accepted">False: nothing was changed, see the findings.</param>
/// <param name="Revision">The revision that now holds (the former one where nothing changed).</param>
/// <param name="Objects">What happened to each resource, in the order asked.</param>
/// <param name="Findings">Mistakes and warnings, all of them.</param>
/// <param name="Wait">How far the proxies are, where somebody waited for them.</param>
public sealed record ChangeAnswer(bool Accepted, long Revision, IReadOnlyList<ObjectOutcome> Objects, IReadOnlyList<Finding> Findings,
    WaitAnswer? Wait = null);

/// <summary>One resource of a change.</summary>
/// <param name="Resource">plural.group/name as kubectl prints it: virtualservice.networking.istio.io/reviews.</param>
/// <param name="Namespace">Its namespace, or none.</param>
/// <param name="Outcome">created, configured, unchanged, deleted or "not found".</param>
public sealed record ObjectOutcome(string Resource, string? Namespace, string Outcome);

/// <summary>A mistake, a warning or a remark about a resource.</summary>
/// <param name="Level">error, warning or info.</param>
/// <param name="Code">The diagnostic's code.</param>
/// <param name="Object">Kind namespace/name, where known.</param>
/// <param name="Place">file:line:column, where known.</param>
/// <param name="Text">What is wrong and why.</param>
/// <param name="Remedy">What to do, where there is something to do.</param>
public sealed record Finding(string Level, string Code, string? Object, string? Place, string Text, string? Remedy);

/// <summary>Resources as they are kept.</summary>
/// <param name="Revision">The revision this was read at.</param>
/// <param name="Items">The resources.</param>
public sealed record ObjectList(long Revision, IReadOnlyList<StoredObject> Items);

/// <summary>One resource with what the mesh knows about it.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Resource">singular.group, for `-o name`.</param>
/// <param name="Object">The resource itself in its JSON form, status included.</param>
/// <param name="Place">file:line it was written at, where known.</param>
/// <param name="Revision">The revision that last changed it.</param>
/// <param name="ChangedAt">When that was.</param>
/// <param name="Findings">What is to be said about it.</param>
public sealed record StoredObject(string Kind, string Resource, JsonObject Object, string? Place, long Revision, DateTimeOffset ChangedAt,
    IReadOnlyList<Finding> Findings);

/// <summary>One kind that the mesh knows.</summary>
public sealed record KindRow(string Kind, string Group, string Version, string Plural, IReadOnlyList<string> ShortNames, bool Namespaced);

/// <summary>The history, newest first.</summary>
public sealed record RevisionList(IReadOnlyList<RevisionRow> Items);

/// <summary>One revision.</summary>
/// <param name="Revision">Its number.</param>
/// <param name="At">When it was made.</param>
/// <param name="Author">By whom.</param>
/// <param name="Reason">apply, delete, rollback to n, file change.</param>
/// <param name="Changes">What it changed.</param>
public sealed record RevisionRow(long Revision, DateTimeOffset At, string Author, string Reason, IReadOnlyList<ObjectOutcome> Changes);

/// <summary>Differences between two revisions.</summary>
public sealed record DiffAnswer(long From, long To, IReadOnlyList<ObjectDiff> Objects);

/// <summary>One resource that differs: its YAML before and after (null: absent).</summary>
public sealed record ObjectDiff(string Resource, string? Namespace, string? Before, string? After);

/// <summary>Whether the proxies have taken up a revision.</summary>
/// <param name="Revision">The revision asked for.</param>
/// <param name="Converged">Every connected proxy acknowledged it.</param>
/// <param name="Behind">The ones that did not, and why.</param>
/// <param name="Proxies">How many are connected.</param>
public sealed record WaitAnswer(long Revision, bool Converged, int Proxies, IReadOnlyList<BehindRow> Behind);

/// <summary>A proxy that has not taken up a revision.</summary>
/// <param name="Proxy">pod.namespace.</param>
/// <param name="Reason">What it refused, has not answered or has not asked for, and since when.</param>
/// <param name="Revision">The revision that it runs; 0 for none.</param>
/// <param name="HasRefused">It said no: waiting longer would not help.</param>
public sealed record BehindRow(string Proxy, string Reason, long Revision = 0, bool HasRefused = false);

/// <summary>Every connected proxy.</summary>
/// <param name="Revision">The newest revision.</param>
/// <param name="Items">The proxies.</param>
/// <param name="Left">Those that went away lately, whether they came back or not.</param>
public sealed record ProxyList(long Revision, IReadOnlyList<ProxyRow> Items, IReadOnlyList<LeftRow>? Left = null);

/// <summary>A proxy that went away lately.</summary>
/// <param name="Proxy">pod.namespace.</param>
/// <param name="Times">How often in the last ten minutes.</param>
/// <param name="SinceSeconds">Seconds since it last did.</param>
public sealed record LeftRow(string Proxy, int Times, double SinceSeconds);

/// <summary>One proxy: its name (pod.namespace), and the state of each type it subscribed to.</summary>
/// <param name="Name">pod.namespace.</param>
/// <param name="Cluster">Its cluster id.</param>
/// <param name="ControlPlane">The control plane that serves it.</param>
/// <param name="Version">The version it says it has.</param>
/// <param name="Revision">The newest revision of which it took everything; 0 for none.</param>
/// <param name="Types">CDS, LDS, EDS, RDS ... and SYNCED, STALE, NOT SENT, ERROR, IGNORED each.</param>
/// <param name="Admin">host:port of its admin pages, where known.</param>
/// <param name="ConnectedAt">When its stream began.</param>
/// <param name="Identity">The SPIFFE identity that it has proved; null where its stream is in clear text and nothing was asked.</param>
/// <param name="MutualTls">What a sidecar takes: STRICT, PERMISSIVE or DISABLE, and ports for which another is said; null for other
/// proxies.</param>
public sealed record ProxyRow(string Name, string Cluster, string ControlPlane, string Version, long Revision,
    IReadOnlyDictionary<string, TypeState> Types, string? Admin, DateTimeOffset ConnectedAt, string? Identity = null,
    string? MutualTls = null);

/// <summary>How far one type of one proxy is.</summary>
/// <param name="State">SYNCED, STALE, NOT SENT, ERROR or IGNORED.</param>
/// <param name="SinceSeconds">Seconds since the last acknowledgement; where a response waits for one, since that was sent; where the proxy
/// refused, since it did.</param>
/// <param name="Error">What the proxy said when it refused.</param>
/// <param name="Sent">Version of the last response.</param>
/// <param name="Acked">Version of the last response that the proxy took.</param>
public sealed record TypeState(string State, double SinceSeconds, string? Error, string? Sent = null, string? Acked = null);

/// <summary>No, and what to do.</summary>
public sealed record Refusal(string Message, string? Remedy);

/// <summary>The JSON of all of these, generated at build time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ApplyRequest))]
[JsonSerializable(typeof(DeleteRequest))]
[JsonSerializable(typeof(RollbackRequest))]
[JsonSerializable(typeof(ChangeAnswer))]
[JsonSerializable(typeof(ObjectList))]
[JsonSerializable(typeof(IReadOnlyList<KindRow>))]
[JsonSerializable(typeof(RevisionList))]
[JsonSerializable(typeof(DiffAnswer))]
[JsonSerializable(typeof(WaitAnswer))]
[JsonSerializable(typeof(ProxyList))]
[JsonSerializable(typeof(Refusal))]
public sealed partial class OperatorJson : JsonSerializerContext;
