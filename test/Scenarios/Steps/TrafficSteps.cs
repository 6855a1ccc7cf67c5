using System.Globalization;
using System.Text.RegularExpressions;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Test.Rigs.Stage;
using Lateen.Test.Rigs.Text;

namespace Lateen.Test.Scenarios.Steps;

/// <summary>Who calls whom, and how time passes.</summary>
internal static class TrafficSteps
{
    private const string Tail = @"(?: with (?<headers>.+?))?(?<h2> over HTTP/2)?(?: (?<times>\d+) times)?(?<atonce> at once)?";

    public static readonly Step[] All =
    [
        new(@"(?<from>[a-z-]+(?: v\d+)?) (?<verb>calls|begins) (?<method>[A-Z]+) http://(?<host>[^:/ ]+)(?::(?<port>\d+))?(?<path>/\S*)"
            + Tail, (play, m, _) => FromPod(play, m)),
        new(
            @"(?:the )?(?<gateway>[a-z-]*gateway) is called with host (?<host>\S+) (?<method>[A-Z]+) (?<path>/\S*)(?: on port (?<port>\d+))?" + Tail, (play, m, _) => AtGateway(play, m)),
        new(@"(?<from>[a-z-]+(?: v\d+)?) sends ""(?<text>.*)"" to (?<host>[^: ]+):(?<port>\d+)", (play, m, _) =>
        {
            Pod pod = play.Mesh.Find(m.Groups["from"].Value)[0];
            One(play, pod.Application!.Loop, play.Mesh.Resolve(m.Groups["host"].Value, Number(m, "port", 0)),
                new CallRequest("", "", "", [], Raw: m.Groups["text"].Value), pod);
        }),
        new(
            @"(?<from>[a-z-]+(?: v\d+)?) keeps calling http://(?<host>[^:/ ]+):(?<port>\d+)(?<path>/\S*) (?<times>\d+) times, one every (?<amount>[\d.]+) (?<unit>ms|s)", (play, m, _) => Stream(play, m)),
        new("the calls end", (play, _, _) => End(play)),
        new(@"(?<amount>\d+) (?<unit>ms|s|min|h) pass(?:es)?", (play, m, _) => play.Mesh.Network.Advance(Micros(m))),
    ];

    /// <summary>An amount and a unit as microseconds.</summary>
    public static long Micros(Match m, string amount = "amount", string unit = "unit") =>
        (long)(double.Parse(m.Groups[amount].Value, CultureInfo.InvariantCulture) * m.Groups[unit].Value switch
        {
            "ms" => 1_000,
            "s" => 1_000_000,
            "h" => 3_600_000_000,
            _ => 60_000_000,
        });

    private static void FromPod(Play play, Match m)
    {
        Pod pod = play.Mesh.Find(m.Groups["from"].Value)[0];
        string host = m.Groups["host"].Value;
        int port = Number(m, "port", 80);
        string authority = m.Groups["port"].Success ? $"{host}:{port}" : host;
        Many(play, m, pod.Application!.Loop, () => play.Mesh.Resolve(host, port), Request(m, authority), pod);
    }

    private static void AtGateway(Play play, Match m)
    {
        Pod gateway = play.Mesh.Find(m.Groups["gateway"].Value is "gateway" or "ingressgateway"
            ? "istio-ingressgateway" : m.Groups["gateway"].Value)[0];
        int port = Number(m, "port", 80);
        int target = Bookinfo.GatewayPorts.FirstOrDefault(p => p.Port == port)?.Target ?? port;
        Many(play, m, play.Mesh.Outside, () => gateway.Host.Ip.WithPort(target), Request(m, m.Groups["host"].Value), gateway);
    }

    private static CallRequest Request(Match m, string authority) =>
        new(m.Groups["method"].Value, m.Groups["path"].Value, authority, HeadersOf(m.Groups["headers"].Value), m.Groups["h2"].Success);

    // Headers are written name: value, with commas between; {n} in a value is the number of the call.
    private static List<(string, string)> HeadersOf(string written) =>
        [.. written.Split(", ", StringSplitOptions.RemoveEmptyEntries).Select(header => header.Split(": ", 2))
            .Select(pair => pair.Length == 2
                ? (pair[0], pair[1]) : throw new ScenarioException($"\"{pair[0]}\" is no header; headers are written name: value"))];

    private static void Many(Play play, Match m, MemoryLoop from, Func<Address> to, CallRequest request, Pod proxy)
    {
        bool begins = m.Groups["verb"].Value == "begins";
        play.Calls.Clear();
        for (int i = 0; i < Number(m, "times", 1); i++)
        {
            int number = i;
            CallRequest numbered = request with { Headers =
                [.. request.Headers.Select(
                    h => (h.Name, h.Value.Replace("{n}", number.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)))] };
            Call call = play.Mesh.Call(from, to(), numbered, proxy);
            play.Calls.Add(call);
            if (!begins && !m.Groups["atonce"].Success) play.Mesh.Await([call]);
        }
        // Begun means that the requests are on their way: their connections are made and their heads sent.
        if (begins) play.Mesh.Network.Advance(20_000);
        else End(play);
    }

    // A steady stream of calls that goes on during the steps that follow, until "the calls end".
    private static void Stream(Play play, Match m)
    {
        Pod pod = play.Mesh.Find(m.Groups["from"].Value)[0];
        (string host, int port) = (m.Groups["host"].Value, Number(m, "port", 80));
        var request = new CallRequest("GET", m.Groups["path"].Value, $"{host}:{port}", []);
        play.Calls.Clear();
        play.Stream = new CallStream(play.Mesh, pod, () => play.Mesh.Resolve(host, port), request, Number(m, "times", 1), Micros(m),
            play.Calls);
        play.Mesh.Network.Advance(20_000);
    }

    private static void End(Play play)
    {
        if (play.Stream is { } stream) play.Mesh.Network.RunUntil(() => stream.IsOver, 600_000_000);
        play.Stream = null;
        play.Mesh.Await(play.Calls);
        // Access logs are written when an exchange has ended on both sides.
        play.Mesh.Network.Advance(2_000);
    }

    private static void One(Play play, MemoryLoop from, Address to, CallRequest request, Pod proxy)
    {
        play.Calls.Clear();
        Call call = play.Mesh.Call(from, to, request, proxy);
        play.Calls.Add(call);
        play.Mesh.Await(play.Calls);
    }

    private static int Number(Match m, string group, int otherwise) =>
        m.Groups[group].Success ? int.Parse(m.Groups[group].Value, CultureInfo.InvariantCulture) : otherwise;
}
