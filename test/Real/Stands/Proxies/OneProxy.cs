using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lateen.Test.Real.Stands.Proxies;

/// <summary>A folder with one bootstrap, and the processes of <c>lateen proxy</c> that serve it.</summary>
internal sealed class OneProxy : IAsyncDisposable
{
    private readonly List<Process> _processes = [];
    private readonly StringBuilder _said = new();

    public int Port { get; } = Lateen.FreePort();

    public int Admin { get; } = Lateen.FreePort();

    public string Folder { get; } = Directory.CreateTempSubdirectory("lateen-proxy-").FullName;

    /// <summary>What all of them said.</summary>
    public string Said
    {
        get
        {
            lock (_said) return _said.ToString();
        }
    }

    /// <summary>The bootstrap: a listener with the virtual host's routes before the clusters.</summary>
    public string Bootstrap(string routes, string clusters = "", string more = "") => """
        {"node":{"id":"one","cluster":"one"},"admin":{"address":{"socket_address":{"address":"127.0.0.1","port_value":$ADMIN}}},$MORE
         "static_resources":{"clusters":[$CLUSTERS],"listeners":[{"name":"in","address":{"socket_address":{"address":"127.0.0.1","port_value":$PORT}},"filter_chains":[{"filters":[{"name":"hcm","typed_config":{
           "@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager","stat_prefix":"in","generate_request_id":false,
           "http_filters":[{"name":"router","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
           "route_config":{"name":"r","virtual_hosts":[{"name":"all","domains":["*"],"routes":[$ROUTES]}]}}}]}]}]}}
        """.Replace("$ADMIN", Text(Admin), StringComparison.Ordinal).Replace("$PORT", Text(Port), StringComparison.Ordinal)
        .Replace("$MORE", more, StringComparison.Ordinal)
        .Replace("$CLUSTERS", clusters, StringComparison.Ordinal).Replace("$ROUTES", routes, StringComparison.Ordinal);

    /// <summary>A cluster of one address.</summary>
    public static string Cluster(string name, int port) => """
        {"name":"$NAME","type":"STATIC","connect_timeout":"2s","load_assignment":{"cluster_name":"$NAME","endpoints":[{"lb_endpoints":[{"endpoint":{"address":{"socket_address":{"address":"127.0.0.1","port_value":$PORT}}}}]}]}}
        """.Replace("$NAME", name, StringComparison.Ordinal).Replace("$PORT", Text(port), StringComparison.Ordinal);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Starts a process and waits until it is ready.</summary>
    public async Task<Process> StartAsync(string bootstrap, string? launcher = null, params string[] more)
    {
        string file = Path.Combine(Folder, "bootstrap.json");
        await File.WriteAllTextAsync(file, bootstrap);
        ProcessStartInfo start = Lateen.Start(Folder, ["proxy", "-c", file, "--concurrency", "1", .. more]);
        if (launcher is not null)
        {
            string[] command = [start.FileName, .. start.ArgumentList];
            start.ArgumentList.Clear();
            (start.FileName, string script) = ("/bin/bash", launcher + " exec \"$@\"");
            foreach (string argument in new[] { "-c", script, "launcher" }.Concat(command)) start.ArgumentList.Add(argument);
        }
        Process process = Process.Start(start)!;
        _processes.Add(process);
        process.OutputDataReceived += (_, line) => Note(line.Data);
        process.ErrorDataReceived += (_, line) => Note(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (!await Lateen.UntilAsync(() => process.HasExited || Answers(process), 20) || process.HasExited)
            throw new InvalidOperationException($"the proxy does not serve: {Said}");
        return process;
    }

    // The admin port may still be another process's: this one is up when it says so itself.
    private bool Answers(Process process)
    {
        try
        {
            using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(1) };
            return client.GetStringAsync(new Uri($"http://127.0.0.1:{Admin}/server_info")).GetAwaiter().GetResult()
                .Contains("LIVE", StringComparison.Ordinal) && !process.HasExited;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return false;
        }
    }

    private void Note(string? line)
    {
        lock (_said) _said.AppendLine(line);
    }

    /// <summary>Asks its admin page.</summary>
    public async Task<string> AskAsync(string path, HttpMethod? method = null)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        using var request = new HttpRequestMessage(method ?? HttpMethod.Get, $"http://127.0.0.1:{Admin}{path}");
        using HttpResponseMessage answer = await client.SendAsync(request);
        return await answer.Content.ReadAsStringAsync();
    }

    /// <summary>A counter's or a gauge's value.</summary>
    public async Task<long> CountAsync(string name)
    {
        string? line = (await AskAsync("/stats")).Split('\n').FirstOrDefault(l => l.StartsWith(name + ": ", StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line.AsSpan(name.Length + 2), CultureInfo.InvariantCulture);
    }

    /// <summary>Resident bytes of a process.</summary>
    public static long Resident(Process process) => Status(process, "VmRSS:");

    /// <summary>Resident bytes of a process, when it had most.</summary>
    public static long MostResident(Process process) => Status(process, "VmHWM:");

    private static long Status(Process process, string name) =>
        long.Parse(File.ReadLines($"/proc/{process.Id}/status").First(l => l.StartsWith(name, StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) << 10;

    public async ValueTask DisposeAsync()
    {
        foreach (Process process in _processes)
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }
        Directory.Delete(Folder, recursive: true);
    }
}

/// <summary>An upstream that answers every request after a while, and counts.</summary>
internal sealed class SlowUpstream : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly TimeSpan _delay;

    public SlowUpstream(TimeSpan delay)
    {
        _delay = delay;
        _listener.Start(512);
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await _listener.AcceptTcpClientAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The stand is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                NetworkStream stream = client.GetStream();
                byte[] buffer = new byte[8192];
                var text = new StringBuilder();
                while (await stream.ReadAsync(buffer) is > 0 and int n)
                {
                    text.Append(Encoding.Latin1.GetString(buffer, 0, n));
                    for (int end = text.ToString().IndexOf("\r\n\r\n", StringComparison.Ordinal); end >= 0; end = text.ToString()
                        .IndexOf("\r\n\r\n", StringComparison.Ordinal))
                    {
                        text.Remove(0, end + 4);
                        using (var timer = new PeriodicTimer(_delay)) await timer.WaitForNextTickAsync();
                        await stream.WriteAsync("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"u8.ToArray());
                    }
                }
            }
            catch (IOException)
            {
                // The proxy went away.
            }
        }
    }

    public void Dispose() => _listener.Dispose();
}

/// <summary>Clients over raw sockets that count whatever is not a whole answer: nothing is tried again behind one's back.</summary>
internal sealed class PlainClients(int port, string path)
{
    private int _good, _refused, _broken, _other;

    public int Good => Volatile.Read(ref _good);

    public string Wrong => $"{_refused} refused, {_broken} broken, {_other} other answers";

    public bool AllGood => _refused + _broken + _other == 0;

    /// <summary>One client after another until the time is over; a connection serves some requests.</summary>
    public async Task RunAsync(int requestsPerConnection, CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            using var client = new TcpClient { NoDelay = true };
            try
            {
                await client.ConnectAsync(IPAddress.Loopback, port, CancellationToken.None);
            }
            catch (SocketException)
            {
                Interlocked.Increment(ref _refused);
                continue;
            }
            for (int i = 0; i < requestsPerConnection && !over.IsCancellationRequested && await OneAsync(client.GetStream()); i++)
            {
            }
        }
    }

    // True where the connection goes on.
    private async Task<bool> OneAsync(NetworkStream stream)
    {
        var text = new StringBuilder();
        byte[] buffer = new byte[4096];
        try
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            while (!text.ToString().Contains("\r\n\r\nhello", StringComparison.Ordinal))
            {
                int n = await stream.ReadAsync(buffer);
                if (n == 0)
                {
                    Interlocked.Increment(ref _broken);
                    return false;
                }
                text.Append(Encoding.Latin1.GetString(buffer, 0, n));
                if (text.Length > 12 && !text.ToString().StartsWith("HTTP/1.1 200", StringComparison.Ordinal))
                {
                    Interlocked.Increment(ref _other);
                    return false;
                }
            }
        }
        catch (IOException)
        {
            Interlocked.Increment(ref _broken);
            return false;
        }
        Interlocked.Increment(ref _good);
        return !text.ToString().Contains("connection: close", StringComparison.OrdinalIgnoreCase);
    }
}
