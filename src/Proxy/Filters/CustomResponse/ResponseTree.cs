using System.Globalization;
using System.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.CustomResponse;

/// <summary>What a test looks at.</summary>
public enum ResponseInputKind : byte
{
    Status,
    StatusClass,
    RequestHeader,
    ResponseHeader,
}

/// <summary>An input: a status, its class (5xx), or a header.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Header">The header's name in lower case.</param>
public sealed record ResponseInput(ResponseInputKind Kind, byte[] Header)
{
    /// <summary>Its text; null where it is absent.</summary>
    public byte[]? Read(Exchange exchange) => Kind switch
    {
        ResponseInputKind.Status => Encoding.ASCII.GetBytes(exchange.Status.ToString(CultureInfo.InvariantCulture)),
        ResponseInputKind.StatusClass => Encoding.ASCII.GetBytes($"{exchange.Status / 100}xx"),
        ResponseInputKind.RequestHeader => Of(exchange.RequestHead),
        _ => Of(exchange.ResponseHead),
    };

    private byte[]? Of(HeaderMap head) => head.TryGet(Header, out ReadOnlySpan<byte> value) ? value.ToArray() : null;
}

/// <summary>A condition: a test of an input, or a combination of conditions.</summary>
public sealed class ResponseCondition
{
    private readonly Func<Exchange, bool> _test;

    private ResponseCondition(Func<Exchange, bool> test) => _test = test;

    /// <summary>A test of an input; an absent one satisfies none.</summary>
    public static ResponseCondition Of(ResponseInput input, StringMatch match) => new(x => input.Read(x) is { } text && match.Matches(text));

    /// <summary>All, or any.</summary>
    public static ResponseCondition Of(ResponseCondition[] parts, bool all) => new(x => all ? Array.TrueForAll(parts, p => p.Holds(x)) : Array.Exists(parts, p => p.Holds(x)));

    /// <summary>The contrary.</summary>
    public static ResponseCondition Not(ResponseCondition part) => new(x => !part.Holds(x));

    /// <summary>True where it holds.</summary>
    public bool Holds(Exchange exchange) => _test(exchange);
}

/// <summary>What a match leads to: a policy, or a further tree.</summary>
/// <param name="Policy">The policy.</param>
/// <param name="Tree">The tree.</param>
public sealed record ResponseOutcome(ResponsePolicy? Policy, ResponseTree? Tree)
{
    internal ResponsePolicy? Find(Exchange exchange) => Policy ?? Tree?.Find(exchange);
}

/// <summary>A matcher (xds.type.matcher.v3.Matcher) over a response: rules one after another, or a map by one input.</summary>
public sealed record ResponseTree
{
    /// <summary>Rules in order; the first that holds and leads somewhere wins.</summary>
    public IReadOnlyList<(ResponseCondition Condition, ResponseOutcome Outcome)> Rules { get; init; } = [];

    /// <summary>The map's input; null for none.</summary>
    public ResponseInput? Input { get; init; }

    /// <summary>Outcomes by text, or by prefix.</summary>
    public IReadOnlyDictionary<string, ResponseOutcome> Map { get; init; } = new Dictionary<string, ResponseOutcome>();

    /// <summary>The map's keys are prefixes, of which the longest wins.</summary>
    public bool ByPrefix { get; init; }

    /// <summary>Where nothing matches; null for nothing.</summary>
    public ResponseOutcome? Otherwise { get; init; }

    /// <summary>The policy for a response; null for none.</summary>
    public ResponsePolicy? Find(Exchange exchange)
    {
        foreach ((ResponseCondition condition, ResponseOutcome outcome) in Rules)
        {
            if (condition.Holds(exchange) && outcome.Find(exchange) is { } policy)
                return policy;
        }
        return FindInMap(exchange) ?? Otherwise?.Find(exchange);
    }

    private ResponsePolicy? FindInMap(Exchange exchange)
    {
        if (Input?.Read(exchange) is not { } bytes)
            return null;
        string text = Encoding.Latin1.GetString(bytes);
        for (int length = text.Length; length >= (ByPrefix ? 0 : text.Length); length--)
        {
            if (Map.TryGetValue(text[..length], out ResponseOutcome? outcome) && outcome.Find(exchange) is { } policy)
                return policy;
        }
        return null;
    }
}
