using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Exchanges;

/// <summary>Writes down exchanges: access logs, statistics, decision records. Shared by all workers; what it keeps, it keeps by worker.</summary>
public abstract class ExchangeRecorder
{
    /// <summary>A moment before its end is to be written down: its start, an interval, an attempt's end (<see cref="ExchangeFacts.LogType"/> tells which).</summary>
    public virtual void OnMoment(Exchange exchange)
    {
    }

    /// <summary>It is over: exactly once for each exchange, on its worker. The exchange is whole until this returns, and reused afterwards.</summary>
    public abstract void OnEnd(Exchange exchange);
}

/// <summary>Traces exchanges.</summary>
public abstract class ExchangeTracer
{
    /// <summary>The head was admitted and routed: takes up the context, decides, writes what goes upstream.</summary>
    public abstract void OnRequest(Exchange exchange);

    /// <summary>An attempt begins: its head may be given a child's ids.</summary>
    public virtual void OnAttempt(Exchange exchange, HeaderMap head)
    {
    }

    /// <summary>It is over: the span is finished.</summary>
    public abstract void OnEnd(Exchange exchange);

    /// <summary>Trace and span ids of the exchange in hex; empty where nothing is traced.</summary>
    public abstract (string Trace, string Span) IdsOf(Exchange exchange);
}

/// <summary>Rewrites answers that the proxy makes itself (local_reply_config).</summary>
public abstract class LocalReplyRules
{
    /// <summary>May change status and head, and the body with its type. The body is not asked for a gRPC client.</summary>
    /// <param name="exchange">The exchange, with its flags and details.</param>
    /// <param name="status">The status to be answered.</param>
    /// <param name="head">Further headers; already filled.</param>
    /// <param name="body">In: the body. Out: what takes its place.</param>
    /// <param name="contentType">Null leaves text/plain.</param>
    public abstract void Rewrite(Exchange exchange, ref int status, HeaderMap head, ByteBuffer body, ref string? contentType);
}
