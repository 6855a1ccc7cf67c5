using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Exchanges;

/// <summary>Writes down exchanges: access logs, statistics, decision records. Shared by all workers; what it keeps, it keeps by
/// worker.</summary>
public abstract class ExchangeRecorder
{
    /// <summary>A moment before its end is to be written down: its start, an interval, an attempt's end
    /// (<see cref="ExchangeFacts.LogType"/> tells which).</summary>
    public virtual void OnMoment(Exchange exchange)
    {
    }

    /// <summary>It is over: exactly once for each exchange, on its worker. The exchange is whole until this returns, and reused
    /// afterwards.</summary>
    public abstract void OnEnd(Exchange exchange);
}

/// <summary>Traces exchanges.</summary>
public abstract class ExchangeTracer
{
    /// <summary>The head was admitted and routed: takes up the context, decides, writes what goes upstream.</summary>
    public abstract void OnRequest(Exchange exchange);

    /// <summary>The answer's head is about to go.</summary>
    public virtual void OnResponse(Exchange exchange, HeaderMap head)
    {
    }

    /// <summary>An attempt begins: it may have a span of its own.</summary>
    /// <param name="exchange">The exchange.</param>
    /// <param name="cluster">The cluster's name.</param>
    /// <param name="spawn">The router wants one.</param>
    public virtual object? OnAttempt(Exchange exchange, string cluster, bool spawn) => null;

    /// <summary>An attempt's head goes out: the context is written into it.</summary>
    public virtual void OnAttemptHead(Exchange exchange, object? attempt, HeaderMap head)
    {
    }

    /// <summary>An attempt that has a span is over.</summary>
    public virtual void OnAttemptEnd(Exchange exchange, object attempt, in AttemptOutcome outcome)
    {
    }

    /// <summary>It is over: the span is finished.</summary>
    public abstract void OnEnd(Exchange exchange);

    /// <summary>Trace and span ids of the exchange in hex; empty where nothing is traced.</summary>
    public abstract (string Trace, string Span) IdsOf(Exchange exchange);
}

/// <summary>What became of an attempt.</summary>
/// <param name="Host">The host tried.</param>
/// <param name="Cluster">Its cluster.</param>
/// <param name="Version">The protocol; null without a connection.</param>
/// <param name="Status">The answer's status; 0 for none.</param>
/// <param name="Retries">Attempts before it.</param>
/// <param name="Canceled">It was given up.</param>
/// <param name="Flags">Why it failed.</param>
public readonly record struct AttemptOutcome(Clusters.Host Host, Clusters.Cluster Cluster, HttpVersion? Version, int Status, int Retries,
    bool Canceled, ResponseFlags Flags);

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
