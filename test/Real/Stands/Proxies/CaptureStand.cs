using System.Diagnostics;
using Xunit;

namespace Lateen.Test.Real.Stands.Proxies;

/// <summary>Connections that the kernel brings to the proxy, by TPROXY and by REDIRECT, in a network of its own: it knows where they were
/// meant to go.</summary>
public sealed class CaptureStand : IDisposable
{
    private const string Cannot = "cannot capture";

    // Ports are nobody else's here: the network is the test's own. Whoever meant 10.99.0.x meets the proxy.
    private const string Script = $$"""
        ip link set lo up && ip addr add 10.98.0.1/32 dev lo && ip route add default dev lo src 10.98.0.1 || { echo {{Cannot}}; exit 0; }
        { iptables -t mangle -A OUTPUT -p tcp --dport 9999 -j MARK --set-mark 1 && iptables -t mangle -A PREROUTING -p tcp --dport 9999 -j TPROXY --on-port 15001 --tproxy-mark 1/1 &&
          iptables -t nat -A OUTPUT -p tcp --dport 9998 -j REDIRECT --to-ports 15002 && ip rule add fwmark 1 lookup 100 && ip route add local 0.0.0.0/0 dev lo table 100; } >/dev/null 2>&1 || { echo {{Cannot}}; exit 0; }
        "$@" >/dev/null 2>&1 </dev/null &
        for i in $(seq 200); do curl -s -m 1 http://127.0.0.1:15000/ready 2>/dev/null | grep -q LIVE && break; sleep 0.1; done
        curl -s -m 10 -o /dev/null http://10.99.0.1:9999/; curl -s -m 10 -o /dev/null http://10.99.0.2:9998/
        kill $! && wait $!
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lateen-capture-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Where_a_captured_connection_was_meant_to_go_is_known_from_its_socket()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess && File.Exists("/usr/bin/unshare") && File.Exists("/usr/bin/curl"),
            "it needs root, unshare and curl");
        string log = Path.Combine(_folder.FullName, "log"), file = Path.Combine(_folder.FullName, "bootstrap.json");
        await File.WriteAllTextAsync(file, """
            {"admin":{"address":{"socket_address":{"address":"127.0.0.1","port_value":15000}}},"static_resources":{"listeners":[@A@,@B@]}}
            """.Replace("@A@", Listener("tproxy", 15001, "true", log), StringComparison.Ordinal)
            .Replace("@B@", Listener("redirect", 15002, "false", log), StringComparison.Ordinal), TestContext.Current.CancellationToken);
        ProcessStartInfo lateen = Lateen.Start(_folder.FullName, ["proxy", "-c", file, "--concurrency", "1", "--disable-hot-restart"]);
        string[] command = [lateen.FileName, .. lateen.ArgumentList];
        lateen.FileName = "/usr/bin/unshare";
        lateen.ArgumentList.Clear();
        foreach (string argument in new[] { "--net", "bash", "-c", Script, "script" }.Concat(command)) lateen.ArgumentList.Add(argument);
        CommandEnd end = await Lateen.RunAsync(lateen);
        Assert.SkipWhen(end.Out.Contains(Cannot, StringComparison.Ordinal) || !File.Exists(log),
            $"this machine's network can't be captured: {end}");
        Assert.Equal(["redirect 10.99.0.2:9998", "tproxy 10.99.0.1:9999"],
            (await File.ReadAllLinesAsync(log, TestContext.Current.CancellationToken)).Order(StringComparer.Ordinal));
    }

    private static string Listener(string name, int port, string transparent, string log) => """
        {"name":"@NAME@","address":{"socket_address":{"address":"0.0.0.0","port_value":@PORT@}},"transparent":@TRANSPARENT@,
         "listener_filters":[{"name":"o","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst"}}],
         "filter_chains":[{"filters":[{"name":"h","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager","stat_prefix":"x",
           "access_log":[{"name":"f","typed_config":{"@type":"type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog","path":"@LOG@","log_format":{"text_format_source":{"inline_string":"@NAME@ %DOWNSTREAM_LOCAL_ADDRESS%\n"}}}}],
           "http_filters":[{"name":"r","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
           "route_config":{"virtual_hosts":[{"name":"a","domains":["*"],"routes":[{"match":{"prefix":"/"},"direct_response":{"status":200}}]}]}}}]}]}
        """.Replace("@NAME@", name, StringComparison.Ordinal).Replace("@PORT@", $"{port}", StringComparison.Ordinal)
        .Replace("@TRANSPARENT@", transparent, StringComparison.Ordinal).Replace("@LOG@", log, StringComparison.Ordinal);
}
