// Filters: the ready-made pieces that routes, listeners and gateways put into their messages: packed extensions, listener filters, HTTP
// filters, provenance. Everything here is a constant or a pure function of its arguments.
//
// It owns no state and never looks at a service or a policy: which piece goes where is decided by the caller.
//
// Refused: sharing one instance of a message between two parents. Protobuf messages are mutable and EnvoyFilter patches change them in
// place, so a shared filter would leak a patch of one chain into all others; every call makes a new object.
using Google.Protobuf;
using Lateen.Api.Schemas;
using Google.Protobuf.WellKnownTypes;
using Envoy.Config.Core.V3;

namespace Lateen.Pilot.Generation.Filters;

/// <summary>Small translations that every generator needs: packing, durations, fractions, provenance.</summary>
internal static class Wire
{
    /// <summary>No timeout, as Envoy writes it.</summary>
    public static Duration Zero => new();

    /// <summary>Packs a message; map entries keep their order, so equal messages give equal bytes.</summary>
    public static Any Pack(IMessage message) => new()
    {
        TypeUrl = "type.googleapis.com/" + SchemaSet.NameOf(message),
        Value = message.ToByteString(),
    };

    /// <summary>Whole seconds.</summary>
    public static Duration Seconds(long seconds) => new() { Seconds = seconds };

    /// <summary>Reads a Go duration such as <c>1h15m30.918s</c>; null when the text is none.</summary>
    public static Duration? ParseDuration(string? text)
    {
        if (string.IsNullOrEmpty(text)) return null;
        var nanos = 0m;
        var at = 0;
        var negative = text[0] == '-';
        if (text[0] is '-' or '+') at++;
        if (text[at..] == "0") return new Duration();
        while (at < text.Length)
        {
            var start = at;
            while (at < text.Length && (char.IsAsciiDigit(text[at]) || text[at] == '.')) at++;
            if (!decimal.TryParse(text.AsSpan(start, at - start), System.Globalization.CultureInfo.InvariantCulture, out var number))
                return null;
            start = at;
            while (at < text.Length && !char.IsAsciiDigit(text[at]) && text[at] != '.') at++;
            var unit = text[start..at] switch
            {
                "ns" => 1m, "us" or "µs" => 1e3m, "ms" => 1e6m, "s" => 1e9m, "m" => 60e9m, "h" => 3600e9m, _ => 0m,
            };
            if (unit == 0) return null;
            nanos += number * unit;
        }
        if (negative) nanos = -nanos;
        return new Duration { Seconds = (long)(nanos / 1_000_000_000), Nanos = (int)(nanos % 1_000_000_000) };
    }

    /// <summary>Configuration that the proxy fetches over the aggregated stream, without a limit on the first answer.</summary>
    public static ConfigSource FromAds() => new()
    {
        Ads = new AggregatedConfigSource(),
        InitialFetchTimeout = Zero,
        ResourceApiVersion = ApiVersion.V3,
    };

    /// <summary>Names the resource that asked for a message, in the form of a Kubernetes API path.</summary>
    public static Metadata Provenance(string group, string kind, string ns, string name)
    {
        var istio = new Struct();
        istio.Fields["config"] = Value.ForString($"/apis/{group}/v1/namespaces/{ns}/{kind}/{name}");
        return new Metadata { FilterMetadata = { ["istio"] = istio } };
    }

    /// <summary>Provenance of a VirtualService.</summary>
    public static Metadata ProvenanceOfVirtualService(string ns, string name) =>
        Provenance("networking.istio.io", "virtual-service", ns, name);

    /// <summary>An IPv6 address in brackets, everything else as it is.</summary>
    public static string HostText(string host) => host.Contains(':') && !host.StartsWith('[') && !host.StartsWith('/') ? $"[{host}]" : host;

    /// <summary><c>host:port</c>.</summary>
    public static string HostPort(string host, int port) =>
        HostText(host) + ":" + port.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
