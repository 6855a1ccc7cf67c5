using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Telemetry;

/// <summary>A log of exchanges and connections: which ones; form and place are its kind's.</summary>
public abstract class AccessLog(LogFilter? filter) : ExchangeRecorder
{
    /// <summary>Istio's default line without its quotes and brackets told apart; control planes always send theirs.</summary>
    public const string EnvoyDefault =
        "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
        + "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
        + "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" "
            + "\"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

    /// <inheritdoc/>
    public override void OnEnd(Exchange exchange) => Write(exchange.Worker, exchange.Facts, exchange.Random);

    /// <inheritdoc/>
    public override void OnMoment(Exchange exchange) => Write(exchange.Worker, exchange.Facts, exchange.Random);

    /// <summary>Writes the record of a stream where the filter keeps it.</summary>
    public void Write(Worker worker, IStreamFacts facts, ulong random)
    {
        if (filter is null || filter.Keeps(facts, random))
            Record(worker, facts);
    }

    /// <summary>Writes a record.</summary>
    protected abstract void Record(Worker worker, IStreamFacts facts);
}
