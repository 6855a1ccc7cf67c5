// ExtProc: a server takes part in each step of an exchange (envoy.extensions.filters.http.ext_proc.v3): it is shown heads, bodies and
// trailers as the mode says, and answers each with changes, or ends the exchange by an answer of its own. One gRPC stream an exchange,
// opened with the first message; the exchange waits for each answer, its worker does not. A server that fails or is slow ends the exchange,
// or (failure_mode_allow) is left out from then on. ProcessorStream is the server's side; its gRPC form is in Remote.
using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.ExtProc;

/// <summary>How bodies go to the server.</summary>
public enum BodyMode : byte
{
    None,

    /// <summary>Part by part, each answered before it goes on.</summary>
    Streamed,

    /// <summary>Whole.</summary>
    Buffered,

    /// <summary>Part by part as it comes; the server sends the body that goes on, in parts of its own, when it likes
    /// (FULL_DUPLEX_STREAMED).</summary>
    Duplex,
}

/// <summary>What of one direction goes to the server.</summary>
/// <param name="Head">The head.</param>
/// <param name="Body">The body.</param>
/// <param name="Trailers">The trailers.</param>
public readonly record struct DirectionMode(bool Head, BodyMode Body, bool Trailers);

/// <summary>What goes to the server.</summary>
public readonly record struct ProcessingMode(DirectionMode Request, DirectionMode Response);

/// <summary>Steps of an exchange, as the server is shown them.</summary>
public enum ProcessingStep : byte
{
    RequestHead,
    RequestBody,
    RequestTrailers,
    ResponseHead,
    ResponseBody,
    ResponseTrailers,

    /// <summary>The server answers in the upstream's place.</summary>
    Immediate,
}

/// <summary>What the server answers to a step.</summary>
public sealed class ProcessingAnswer
{
    /// <summary>Which step.</summary>
    public required ProcessingStep Step { get; init; }

    /// <summary>Changes of the head or trailers.</summary>
    public IReadOnlyList<HeaderEdit> Edits { get; init; } = [];

    /// <summary>Names to take off, in lower case.</summary>
    public IReadOnlyList<byte[]> Remove { get; init; } = [];

    /// <summary>Another body; null for none.</summary>
    public byte[]? Body { get; init; }

    /// <summary>The body replaces all that comes, and nothing further of this direction goes to the server.</summary>
    public bool ReplacesAll { get; init; }

    /// <summary>The body is a part of what goes on in the place of what was sent to the server.</summary>
    public bool IsStreamed { get; init; }

    /// <summary>It is the last part.</summary>
    public bool EndsStream { get; init; }

    /// <summary>The server needs so long for what it was asked last, in microseconds: no answer yet; null for an answer.</summary>
    public long? NeedsMicros { get; init; }

    /// <summary>The route is to be taken anew.</summary>
    public bool ClearRoute { get; init; }

    /// <summary>The status of an immediate answer.</summary>
    public int Status { get; init; }

    /// <summary>Its gRPC status; null derives it.</summary>
    public int? GrpcStatus { get; init; }

    /// <summary>Its words for logs.</summary>
    public string Details { get; init; } = "";

    /// <summary>Another mode from here on; null for the same.</summary>
    public ProcessingMode? Mode { get; init; }

    /// <summary>Dynamic metadata by namespace.</summary>
    public IReadOnlyDictionary<string, JsonElement> Metadata { get; init; } = new Dictionary<string, JsonElement>();
}

/// <summary>Who hears the server.</summary>
public abstract class ProcessorReceiver
{
    /// <summary>An answer.</summary>
    public abstract void OnAnswer(ProcessingAnswer answer);

    /// <summary>The stream is over; status 0 is an orderly end. Once.</summary>
    public abstract void OnEnd(int status);
}

/// <summary>What routes set otherwise about the server: where it is, and what it is told.</summary>
public abstract class ProcessorOverrides;

/// <summary>The server; one for all workers.</summary>
public abstract class ProcessorService
{
    /// <summary>The same with what a route sets otherwise.</summary>
    public virtual ProcessorService With(ProcessorOverrides overrides) => this;

    /// <summary>A stream that is used again and again by one slot.</summary>
    public abstract ProcessorStream NewStream(ProcessorReceiver receiver);
}

/// <summary>One exchange's stream to the server; the first message opens it.</summary>
public abstract class ProcessorStream
{
    /// <summary>The exchange's mode, told with the first message.</summary>
    public virtual void Begin(ProcessingMode mode)
    {
    }

    /// <summary>Shows a head.</summary>
    public abstract void SendHead(Exchange exchange, bool request, HeaderMap head, bool end);

    /// <summary>Shows a body or a part of it.</summary>
    public abstract void SendBody(Exchange exchange, bool request, ReadOnlySpan<byte> body, bool end);

    /// <summary>Shows trailers.</summary>
    public abstract void SendTrailers(Exchange exchange, bool request, HeaderMap trailers);

    /// <summary>Ends our direction; nothing is told any more.</summary>
    public abstract void Close();
}
