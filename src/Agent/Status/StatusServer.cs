using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lateen.Agent.Status;

/// <summary>The agent's port 15020.</summary>
public sealed class StatusServer(AgentOptions options, Readiness readiness, AppProbes probes, Action quit)
{
    private const string AdminPrefix = "/admin/";
    private const int RequestBytesMax = 16 << 10, StackBytes = 256 << 10;

    /// <summary>Listens; from then on requests are answered on threads of their own.</summary>
    /// <exception cref="SocketException">The port is taken.</exception>
    public void Start()
    {
        var listening = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listening.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listening.Bind(new IPEndPoint(options.Bind is null ? IPAddress.Any : IPAddress.Parse(options.Bind), options.AgentPort));
        listening.Listen();
        new Thread(() =>
        {
            while (true)
            {
                try
                {
                    Socket client = listening.Accept();
                    ThreadPool.UnsafeQueueUserWorkItem(_ => Serve(client), null);
                }
                catch (SocketException)
                {
                    // A client that has gone before it was served.
                }
            }
        }, StackBytes) { IsBackground = true, Name = "status" }.Start();
    }

    private void Serve(Socket client)
    {
        using (client)
        {
            try
            {
                client.ReceiveTimeout = client.SendTimeout = 2000;
                byte[] request = new byte[RequestBytesMax];
                int count = 0;
                while (request.AsSpan(0, count).IndexOf("\r\n\r\n"u8) < 0)
                {
                    int more = client.Receive(request.AsSpan(count));
                    if (more == 0 || (count += more) == request.Length) return;
                }
                string[] head = Encoding.Latin1.GetString(request, 0, request.AsSpan(0, count).IndexOf("\r\n\r\n"u8)).Split("\r\n");
                (string, string)[] headers = [.. head.Skip(1).Select(field => field.Split(':', 2, StringSplitOptions.TrimEntries))
                    .Where(field => field.Length == 2).Select(field => (field[0], field[1]))];
                bool local = client.RemoteEndPoint is IPEndPoint from
                    && (IPAddress.IsLoopback(from.Address) || from.Address.ToString() == options.Address);
                LocalAnswer answer = head[0].Split(' ') is [var method, var target, _]
                    ? Answer(method, target, local, headers) : new(400, "text/plain", "bad request\n");
                byte[] body = Encoding.UTF8.GetBytes(answer.Body);
                string answerHead =
                    $"HTTP/1.1 {answer.Status.ToString(CultureInfo.InvariantCulture)} {(HttpStatusCode)answer.Status}\r\ncontent-type: {answer.ContentType}\r\ncontent-length: {body.Length}\r\nconnection: close\r\n\r\n";
                client.Send(Encoding.ASCII.GetBytes(answerHead));
                client.Send(body);
                client.Shutdown(SocketShutdown.Send);
            }
            catch (SocketException)
            {
                // The client has gone.
            }
        }
    }

    /// <summary>Answers one request.</summary>
    /// <param name="method">Its method.</param>
    /// <param name="target">Path and query.</param>
    /// <param name="local">It comes from this workload.</param>
    /// <param name="headers">Its headers.</param>
    internal LocalAnswer Answer(string method, string target, bool local, IReadOnlyList<(string Name, string Value)> headers) =>
        (method, target.Split('?')[0]) switch
        {
            // The proxy's admin pages listen on loopback alone; whoever looks from outside may read them here, and no more than that.
            ("GET", var page) when page.StartsWith(AdminPrefix, StringComparison.Ordinal) =>
                LocalHttp.Ask("GET", options.LocalAddress, options.AdminPort, target[(AdminPrefix.Length - 1)..])
                    ?? Text(503, "the proxy's admin pages do not answer\n"),
            ("GET" or "HEAD", "/healthz/ready") => readiness.Obstacle() is { } reason
                ? Text(503, "proxy is not ready: " + reason + "\n") : Text(200, ""),
            ("GET", "/stats/prometheus" or "/metrics") =>
                MergedMetrics.Answer(options,
                    headers.FirstOrDefault(header => header.Name.Equals("accept", StringComparison.OrdinalIgnoreCase)).Value ?? ""),
            ("GET", var probe) when AppProbes.IsProbe(probe) => probes.Ask(probe, headers),
            ("POST", "/quitquitquit" or "/drain") when !local => Text(403, "only from this workload\n"),
            ("POST", "/quitquitquit") => Quit(),
            ("POST", "/drain") =>
                LocalHttp.Ask("POST", options.LocalAddress, options.AdminPort, "/drain_listeners?graceful&skip_exit") is { Status: 200 }
                    ? Text(200, "ok\n") : Text(500, "the proxy does not drain\n"),
            (_, "/quitquitquit" or "/drain") => Text(405, "POST\n"),
            _ => Text(404, "not found\n"),
        };

    private LocalAnswer Quit()
    {
        // After the answer has left.
        new Thread(() =>
        {
            Thread.Sleep(50);
            quit();
        }) { IsBackground = true }.Start();
        return Text(200, "ok\n");
    }

    private static LocalAnswer Text(int status, string text) => new(status, "text/plain", text);
}
