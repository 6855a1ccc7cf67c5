using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Lateen.Bench.Load.Moments;

/// <summary>How long requests wait while one cluster among thousands changes again and again, beside how long they wait while nothing
/// does.</summary>
internal static partial class PublishBench
{
    private const int Clusters = 5000;
    private const int BetweenMillis = 50;

    /// <summary>The rows of the table.</summary>
    public static IEnumerable<string> Run(string lateen, int rounds, int seconds)
    {
        using var lab = new Lab();
        int backend = lab.Backend(), port = Lab.FreePort();
        Change(lab, backend, 0);
        JsonObject bootstrap = JsonNode.Parse(Bootstrap.Text(lab.Folder, new Work("http1"), port, backend, Lab.FreePort()))!.AsObject();
        JsonArray clusters = bootstrap["static_resources"]!["clusters"]!.AsArray();
        for (int i = 1; i < Clusters; i++)
        {
            JsonNode more = clusters[0]!.DeepClone();
            more["name"] = $"outbound|80||service-{i}.default.svc.cluster.local";
            clusters.Add(more);
        }
        clusters[0] = JsonNode.Parse(
            """{"name":"up","type":"EDS","connect_timeout":"10s","eds_cluster_config":{"service_name":"up","eds_config":{"path_config_source":{"path":"@FOLDER@/up.json"}}}}""".Replace("@FOLDER@", lab.Folder, StringComparison.Ordinal));
        Process process = lab.Launch(Lab.ProxyCore,
            [lateen, "proxy", "-c", lab.Write("lateen.json", bootstrap.ToJsonString()), "--concurrency", "1"], port);
        Load(port, seconds);
        (double calmP99, double calmMax, double busyP99, double busyMax, int changes) =
            (double.MaxValue, double.MaxValue, double.MaxValue, double.MaxValue, 0);
        for (int round = 0; round < rounds; round++)
        {
            (double p99, double max) = Load(port, seconds);
            (calmP99, calmMax) = (Math.Min(calmP99, p99), Math.Min(calmMax, max));
            using var over = new CancellationTokenSource();
            Task changing = Task.Run(() =>
            {
                for (; !over.IsCancellationRequested; over.Token.WaitHandle.WaitOne(BetweenMillis))
                    Change(lab, backend, ++changes);
            });
            (p99, max) = Load(port, seconds);
            over.Cancel();
            changing.Wait();
            (busyP99, busyMax) = (Math.Min(busyP99, p99), Math.Min(busyMax, max));
        }
        yield return $"| {Clusters} clusters, 8 connections, best of {rounds} rounds | p99 ms | longest ms |";
        yield return "|---|---|---|";
        yield return string.Create(CultureInfo.InvariantCulture, $"| nothing changes | {calmP99:F2} | {calmMax:F2} |");
        yield return string.Create(CultureInfo.InvariantCulture,
            $"| one cluster changes every {BetweenMillis} ms ({changes} times) | {busyP99:F2} | {busyMax:F2} |");
        GC.KeepAlive(process);
    }

    // One endpoint, and beside it one that nobody can reach and nobody is sent to, at an ever new address.
    private static void Change(Lab lab, int backend, int number)
    {
        string path = lab.Write("up.new", """
            {"version_info":"@NUMBER@","resources":[{"@type":"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment","cluster_name":"up","endpoints":[{"lb_endpoints":[
              {"endpoint":{"address":{"socket_address":{"address":"127.0.0.1","port_value":@PORT@}}}},
              {"health_status":"UNHEALTHY","endpoint":{"address":{"socket_address":{"address":"@ADDRESS@","port_value":80}}}}]}]}]}
            """.Replace("@NUMBER@", $"{number}", StringComparison.Ordinal).Replace("@PORT@", $"{backend}", StringComparison.Ordinal)
            .Replace("@ADDRESS@", $"10.{number / 65536 % 256}.{number / 256 % 256}.{number % 256}", StringComparison.Ordinal));
        File.Move(path, Path.Combine(lab.Folder, "up.json"), overwrite: true);
    }

    // The 99th percentile and the longest, in milliseconds.
    private static (double P99, double Max) Load(int port, int seconds)
    {
        using Process wrk = Process.Start(
            new ProcessStartInfo("taskset",
                ["-c", $"{Lab.LoadCore}", "wrk", "--latency", "-t1", "-c8", $"-d{seconds}s",
                    $"http://127.0.0.1:{port}/"]) { RedirectStandardOutput = true })!;
        string said = wrk.StandardOutput.ReadToEnd();
        wrk.WaitForExit();
        if (said.Contains("Non-2xx", StringComparison.Ordinal) || said.Contains("Socket errors", StringComparison.Ordinal))
            throw new InvalidOperationException(said);
        return (Millis(P99().Match(said)), Millis(Longest().Match(said)));
    }

    private static double Millis(Match found) =>
        double.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture) * (found.Groups[2].Value switch
        {
            "us" => 0.001,
            "ms" => 1,
            _ => 1000,
        });

    [GeneratedRegex(@"99%\s+([\d.]+)(us|ms|s)")]
    private static partial Regex P99();

    [GeneratedRegex(@"Latency\s+[\d.]+\w+\s+[\d.]+\w+\s+([\d.]+)(us|ms|s)")]
    private static partial Regex Longest();
}
