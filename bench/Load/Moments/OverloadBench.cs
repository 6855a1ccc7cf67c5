using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Lateen.Bench.Load.Moments;

/// <summary>
/// What is left of a core's work when clients ask for three times of it, on a schedule and whatever the answers do: answers in time, what
/// was refused, how long health pages take, and how the process grows.
/// Answers are compressed, so that a core of the load can ask for three times what a core of the proxy serves; how busy that core is says
/// whether it could. What an answer in time takes of the proxy's core, all that was given up included, tells the same as the rates do, and
/// is less moved by what else the machine does.
/// </summary>
internal static class OverloadBench
{
    private const int Times = 3, Light = 16_000, Heavy = 48_000;

    private static readonly (string Name, int Bytes, bool Keeps, int QueueAge, int Crowd)[] All =
    [
        ("light, connections are kept", Light, true, -1, 0),
        ("light, a connection for each request", Light, false, -1, 0),
        ("light, the same without a limit of waiting", Light, false, 0, 0),
        ("light, 4,000 open connections ask", Light, true, -1, 4000),
        ("heavy, connections are kept", Heavy, true, -1, 0),
        ("heavy, a connection for each request", Heavy, false, -1, 0),
        ("heavy, the same without a limit of waiting", Heavy, false, 0, 0),
    ];

    /// <summary>The rows of the table; only those whose name has some words.</summary>
    public static IEnumerable<string> Run(string lateen, int rounds, int seconds, string only)
    {
        // The clients keep off the proxy's core.
        using (Process pinned = Process.Start("taskset", ["-apc", $"{Lab.LoadCore}", $"{Environment.ProcessId}"])!)
            pinned.WaitForExit();
        yield return "| at three times the peak | peak a second | asked | in time (share of the peak) | CPU µs for each: at the peak, then (share) | refused | given up "
            + "| median, longest answer in time ms | longest /ready, health route | grew by MB | the load's core |";
        yield return "|---|---|---|---|---|---|---|---|---|---|---|";
        foreach ((string name, int bytes, bool keeps, int queueAge, int crowd) in All.Where(w => only.Length == 0 || w.Name.Contains(only)))
        {
            var all = new List<Figures>();
            for (int round = 0; round < rounds; round++)
                all.Add(Measure(lateen, bytes, keeps, queueAge, crowd, seconds));
            Figures m = all.OrderBy(static f => f.InTime / f.Peak).ElementAt(all.Count / 2);
            yield return string.Create(CultureInfo.InvariantCulture,
                $"| {name} | {m.Peak:F0} | {m.Asked:F0} | {m.InTime:F0} ({m.InTime / m.Peak:F2}) | {m.MicrosAtPeak:F0}, {m.Micros:F0} ({m.MicrosAtPeak / m.Micros:F2}) "
                + $"| {m.Refused:F0} | {m.GivenUp:F0} | {m.Median:F0}, {m.Longest:F0} "
                + $"| {m.Ready.TotalMilliseconds:F0} ms, {m.Health.TotalMilliseconds:F0} ms | {m.Grown} | {m.LoadShare:P0} |");
        }
    }

    private sealed record Figures(double Peak, double InTime, double Refused, double GivenUp)
    {
        public double Asked { get; init; }

        // Of the proxy's processor, for an answer in time.
        public double MicrosAtPeak { get; init; }

        public double Micros { get; init; }

        public double Median { get; init; }

        public double Longest { get; init; }

        public TimeSpan Ready { get; init; }

        public TimeSpan Health { get; init; }

        public long Grown { get; init; }

        public double LoadShare { get; init; }
    }

    private static Figures Measure(string lateen, int bytes, bool keeps, int queueAge, int crowd, int seconds)
    {
        using var lab = new Lab();
        int port = Lab.FreePort(), health = Lab.FreePort(), admin = Lab.FreePort();
        Process process = lab.Launch(Lab.ProxyCore,
            [lateen, "proxy", "-c", lab.Write("lateen.json", Bootstrap(port, health, admin, bytes, queueAge)), "--concurrency", "1"], port);
        // As many as a core can do: some connections that are never without a request, few or many.
        Step Peak(int connections) => Step.Of(process, new OpenLoop(port, keeps, connections), 1_000_000, seconds);
        Step Storm(double peak, int seconds) => Step.Of(process, new OpenLoop(port, keeps, 20_000) { Crowd = crowd }, peak * Times, seconds);
        // Code that the storm needs is compiled by then.
        Storm(Peak(64).InTime, seconds);
        Step peak = Peak(64).OrBetter(Peak(256));
        long before = Resident(process);
        using var over = new CancellationTokenSource();
        Task<(TimeSpan Ready, TimeSpan Health)> asking = Task.Run(() => Ask(admin, health, over.Token));
        Step storm = Storm(peak.InTime, seconds * 2);
        over.Cancel();
        (TimeSpan ready, TimeSpan page) = asking.Result;
        long grown = (Resident(process) - before) >> 20;
        peak = peak.OrBetter(Peak(64)).OrBetter(Peak(256));
        return new Figures(peak.InTime, storm.InTime, storm.Came.Refused / (double)storm.Seconds, storm.Came.GivenUp / (double)storm.Seconds)
        {
            Asked = storm.Came.Asked / (double)storm.Seconds, MicrosAtPeak = peak.Micros, Micros = storm.Micros, Median = storm.Came.MedianMicros / 1e3,
            Longest = storm.Came.LongestMicros / 1e3, Ready = ready, Health = page, Grown = grown, LoadShare = storm.LoadShare,
        };
    }

    // A rate for some seconds, and what of the two cores it took.
    private sealed record Step(OpenLoop.Outcome Came, int Seconds, double Micros, double LoadShare)
    {
        public double InTime => Came.InTime / (double)Seconds;

        public static Step Of(Process proxy, OpenLoop load, double rate, int seconds)
        {
            (TimeSpan used, (long idle, long all)) = (Used(proxy), Core());
            OpenLoop.Outcome came = load.Run(rate, seconds);
            (long idleAfter, long allAfter) = Core();
            return new Step(came, seconds, (Used(proxy) - used).TotalMicroseconds / Math.Max(1, came.InTime),
                1 - ((idleAfter - idle) / (double)Math.Max(1, allAfter - all)));
        }

        // All that keeps the load's core busy, the kernel's work for others included (proc_stat(5)).
        private static (long Idle, long All) Core()
        {
            long[] ticks = [.. File.ReadLines("/proc/stat").First(static l => l.StartsWith($"cpu{Lab.LoadCore} ", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9].Select(static t => long.Parse(t, CultureInfo.InvariantCulture))];
            return (ticks[3] + ticks[4], ticks.Sum());
        }

        public Step OrBetter(Step other) => other.Came.InTime > Came.InTime ? other : this;

        private static TimeSpan Used(Process process)
        {
            process.Refresh();
            return process.TotalProcessorTime;
        }
    }

    private static (TimeSpan, TimeSpan) Ask(int admin, int health, CancellationToken over)
    {
        (TimeSpan ready, TimeSpan page) = (TimeSpan.Zero, TimeSpan.Zero);
        for (; !over.IsCancellationRequested; over.WaitHandle.WaitOne(100))
        {
            ready = Longer(ready, $"http://127.0.0.1:{admin}/ready");
            page = Longer(page, $"http://127.0.0.1:{health}/healthz/ready");
        }
        return (ready, page);
    }

    // Each on a connection of its own, as a kubelet asks.
    private static TimeSpan Longer(TimeSpan longest, string page)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
        long since = Stopwatch.GetTimestamp();
        using HttpResponseMessage answer = client.Send(new HttpRequestMessage(HttpMethod.Get, page));
        answer.EnsureSuccessStatusCode();
        TimeSpan took = Stopwatch.GetElapsedTime(since);
        return took > longest ? took : longest;
    }

    private static long Resident(Process process) =>
        long.Parse(File.ReadLines($"/proc/{process.Id}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) << 10;

    private static string Bootstrap(int port, int health, int admin, int bytes, int queueAge)
    {
        string words = string.Concat(Enumerable.Range(0, bytes / 8)
            .Select(static i => (i * 7919 % 9_999_991).ToString("D7", CultureInfo.InvariantCulture) + " "));
        JsonObject bootstrap = new()
        {
            ["admin"] = new JsonObject { ["address"] = Socket(admin) },
            ["static_resources"] = new JsonObject { ["listeners"] =
                new JsonArray(Listener("in", port, words, Compressor()), Listener("health", health, "ok", null)) },
        };
        if (queueAge >= 0)
            bootstrap["layered_runtime"] =
                new JsonObject { ["layers"] = new JsonArray(new JsonObject
                {
                    ["name"] = "static",
                    ["static_layer"] = new JsonObject { ["lateen.overload.queue_age_ms"] = queueAge },
                }) };
        return bootstrap.ToJsonString();
    }

    private static JsonObject Socket(int port) =>
        new() { ["socket_address"] = new JsonObject { ["address"] = "127.0.0.1", ["port_value"] = port } };

    private static JsonObject Listener(string name, int port, string body, JsonObject? filter)
    {
        JsonArray filters = filter is null ? [] : [filter];
        filters.Add(Extension("router", "filters.http.router.v3.Router"));
        return new JsonObject
        {
            // As Istio's bootstrap marks listeners of health and metrics.
            ["name"] = name, ["address"] = Socket(port), ["bypass_overload_manager"] = filter is null,
            ["filter_chains"] = new JsonArray(new JsonObject
            {
                ["filters"] = new JsonArray(
                    Extension("http", "filters.network.http_connection_manager.v3.HttpConnectionManager", new JsonObject
                    {
                        ["stat_prefix"] = name, ["http_filters"] = filters,
                        ["route_config"] = new JsonObject
                        {
                            ["max_direct_response_body_size_bytes"] = 1 << 20,
                            ["virtual_hosts"] = new JsonArray(new JsonObject
                            {
                                ["name"] = "all",
                                ["domains"] = new JsonArray("*"),
                                ["routes"] = new JsonArray(Route(body)),
                            }),
                        },
                    })),
            }),
        };
    }

    private static JsonObject Route(string body) => new()
    {
        ["match"] = new JsonObject { ["prefix"] = "/" },
        ["direct_response"] = new JsonObject { ["status"] = 200, ["body"] = new JsonObject { ["inline_string"] = body } },
        ["response_headers_to_add"] =
            new JsonArray(new JsonObject
            {
                ["header"] = new JsonObject { ["key"] = "content-type", ["value"] = "text/plain" },
                ["append_action"] = "OVERWRITE_IF_EXISTS_OR_ADD",
            }),
    };

    private static JsonObject Compressor() => Extension("compressor", "filters.http.compressor.v3.Compressor", new JsonObject
    {
        ["compressor_library"] = Extension("gzip", "compression.gzip.compressor.v3.Gzip"),
    });

    private static JsonObject Extension(string name, string type, JsonObject? settings = null)
    {
        settings ??= [];
        settings.Insert(0, "@type", "type.googleapis.com/envoy.extensions." + type);
        return new JsonObject { ["name"] = name, ["typed_config"] = settings };
    }
}
