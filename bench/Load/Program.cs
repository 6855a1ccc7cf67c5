// Load: what a request costs in the proxy, beside what it costs in nginx and HAProxy doing the same work, in one run. Each is put on a core
// of its own with the load on another, and they take turns: a machine that is slower in one round is slower for all. Compare inside one
// table only.
//   dotnet run -c Release --project bench/Load -- [--lateen PATH] [--rounds N] [--seconds N] [--only http1,http1-full,tcp] [--results FILE]
//   … -- handshakes | workers | publish | overload [--lateen PATH] [--rounds N] [--seconds N]: connections that begin, a second core,
// configuration that changes, three times too much (folder Moments)
//   … -- mesh [--world SxE] [--proxies P] [--namespaces N] [--churn SECONDS] [--as services|entries] [--kubeconfig FILE]
// [--clients envoy|ours] [--steps endpoint,rule,…] [--inspect PROGRAM] [--results FILE] [-- OPTIONS OF THE CONTROL PLANE]: what the control
// plane costs (folder Mesh); with a kubeconfig the world lies in that API server, which should have no other work. Needs wrk and nginx (also the
// backend); HAProxy where it is there. The proxy is the published one (./lateen publish) unless told otherwise.
//
// Refused: a load generator of our own for what a request costs (its cost would be measured with ours), and requests a second as the figure
// (it measures the neighbours, too).
using System.Globalization;
using Lateen.Bench.Load;
using Lateen.Bench.Load.Mesh;
using Lateen.Bench.Load.Moments;

string Option(string name, string otherwise) =>
    Array.IndexOf(args, name) is var at and >= 0 && at + 1 < args.Length ? args[at + 1] : otherwise;

int rounds = int.Parse(Option("--rounds", "5"), CultureInfo.InvariantCulture),
    seconds = int.Parse(Option("--seconds", "2"), CultureInfo.InvariantCulture);
string lateen = Path.GetFullPath(Option("--lateen", ".build/lateen/lateen")), results = Option("--results", "");
if (args is ["mesh", ..])
    return await MeshAsync();
if (args is [var moment and ("handshakes" or "workers" or "publish" or "overload"), ..] && File.Exists(lateen))
{
    IEnumerable<string> rows = moment switch
    {
        "handshakes" => HandshakeBench.Run(lateen, rounds, seconds),
        "overload" => OverloadBench.Run(lateen, rounds, seconds, Option("--only", "")),
        "workers" => WorkersBench.Run(lateen, rounds, seconds),
        _ => PublishBench.Run(lateen, rounds, seconds),
    };
    foreach (string row in rows)
        Console.WriteLine(row);
    return 0;
}
if (Missing("wrk", "nginx") is { Length: > 0 } missing || !File.Exists(lateen))
{
    Console.Error.WriteLine(!File.Exists(lateen) ? $"error: {lateen} is not there; ./lateen publish makes it"
        : "error: not on the PATH: " + string.Join(", ", Missing("wrk", "nginx")));
    return 2;
}
var table = new List<string> { "| work | proxy | CPU µs a request: median (least–most) | × nginx | requests a second | resident MB |",
    "|---|---|---|---|---|---|" };
foreach (Work work in Work.All.Where(w => Option("--only", "").Length == 0 || Option("--only", "").Split(',').Contains(w.Name)))
{
    using var lab = new Lab();
    int backend = lab.Backend();
    var contestants = new List<Contestant> { lab.Start("lateen", work, backend, lateen), lab.Start("nginx", work, backend) };
    if (Missing("haproxy").Length == 0)
        contestants.Add(lab.Start("haproxy", work, backend));
    // The first round warms all of them up and is not counted.
    for (int round = 0; round <= rounds; round++)
    {
        foreach (Contestant contestant in contestants)
            contestant.Run(work, seconds, isCounted: round > 0);
    }
    double nginx = contestants[1].Median;
    foreach (Contestant c in contestants)
        table.Add(string.Create(CultureInfo.InvariantCulture,
            $"| {work.Name} | {c.Name} | {c.Median:F1} ({c.Least:F1}–{c.Most:F1}) | {c.Median / nginx:F2} | {c.Rate:F0} "
            + $"| {c.ResidentMegabytes} |"));
}
Console.WriteLine(string.Join('\n', table));
if (results.Length > 0)
    File.WriteAllLines(results, table);
return 0;

async Task<int> MeshAsync()
{
    if (!File.Exists(lateen))
    {
        Console.Error.WriteLine($"error: {lateen} is not there; ./lateen publish makes it");
        return 2;
    }
    // The clients keep off the control plane's core.
    using (System.Diagnostics.Process pinned =
        System.Diagnostics.Process.Start("taskset", ["-apc", "1", Environment.ProcessId.ToString(CultureInfo.InvariantCulture)])!)
        await pinned.WaitForExitAsync();
    string[] world = Option("--world", "1000x5").Split('x');
    int at = Array.IndexOf(args, "--");
    var mesh = new MeshWorld(int.Parse(world[0], CultureInfo.InvariantCulture), int.Parse(world[1], CultureInfo.InvariantCulture),
        int.Parse(Option("--namespaces", "1"), CultureInfo.InvariantCulture), Option("--as", "services") == "entries");
    string kubeConfig = Option("--kubeconfig", "");
    using MeshSource source = kubeConfig.Length > 0 ? new ClusterSource(Path.GetFullPath(kubeConfig), lateen) : new StoreSource();
    var bench = new MeshBench(lateen, mesh, source, int.Parse(Option("--proxies", "100"), CultureInfo.InvariantCulture),
        Option("--clients", "envoy") == "ours", at < 0 ? [] : args[(at + 1)..])
    {
        Steps = Option("--steps", "").Split(',', StringSplitOptions.RemoveEmptyEntries), Inspector = Option("--inspect", ""),
    };
    string[] rows = [MeshBench.Head, .. await bench.RunAsync(int.Parse(Option("--churn", "20"), CultureInfo.InvariantCulture))];
    Console.WriteLine(string.Join('\n', rows));
    if (results.Length > 0)
        await File.WriteAllLinesAsync(results, rows);
    return 0;
}

static string[] Missing(params string[] programs) =>
    [.. programs.Where(p => !(Environment.GetEnvironmentVariable("PATH") + ":/usr/sbin").Split(':')
        .Any(folder => File.Exists(Path.Combine(folder, p))))];
