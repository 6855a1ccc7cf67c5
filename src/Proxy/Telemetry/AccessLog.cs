using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Telemetry;

/// <summary>A log of exchanges: which ones, in which form, to where.</summary>
public sealed class AccessLog(TextFormat? text, JsonFormat?[]? json, LogFilter? filter, LogSink sink, bool omitEmpty, int workers) : ExchangeRecorder
{
    private readonly ByteBuffer?[] _lines = new ByteBuffer?[workers];

    /// <summary>Istio's default line without its quotes and brackets told apart; control planes always send theirs.</summary>
    public const string EnvoyDefault =
        "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
        + "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

    /// <summary>Where the lines go.</summary>
    public LogSink Sink => sink;

    /// <inheritdoc/>
    public override void OnEnd(Exchange exchange) => Write(exchange.Worker, exchange.Facts, exchange.Random);

    /// <inheritdoc/>
    public override void OnMoment(Exchange exchange) => Write(exchange.Worker, exchange.Facts, exchange.Random);

    /// <summary>Writes the record of a stream where the filter keeps it.</summary>
    public void Write(Worker worker, IStreamFacts facts, ulong random)
    {
        if (filter is not null && !filter.Keeps(facts, random))
            return;
        ByteBuffer line = _lines[worker.Index] ??= new ByteBuffer(512);
        line.Clear();
        if (text is not null)
        {
            text.Write(facts, line, omitEmpty);
        }
        else
        {
            json![worker.Index]!.Write(facts, line);
            line.Append((byte)'\n');
        }
        sink.Write(worker, line.Written);
    }
}
