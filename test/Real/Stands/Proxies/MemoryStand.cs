using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Lateen.Test.Real.Stands.Proxies;

/// <summary>A proxy near the limit of its memory, before clients that ask for much and read nothing.</summary>
public sealed class MemoryStand(ITestOutputHelper output) : IAsyncLifetime
{
    // Without the guard each client would take a mebibyte: 400 of them more than twice the limit.
    private const int Clients = 400;
    private const long Limit = 192 << 20;

    private readonly OneProxy _proxy = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await _proxy.DisposeAsync();

    [Fact]
    public async Task Slow_readers_of_large_answers_do_not_fill_it_health_answers_and_it_serves_on()
    {
        using var upstream = new EndlessUpstream();
        Process process = await _proxy.StartAsync(_proxy.Bootstrap(
            """{"match":{"path":"/small"},"direct_response":{"status":200,"body":{"inline_string":"hello"}}},{"match":{"prefix":"/"},"route":{"cluster":"up","timeout":"0s"}}""",
            OneProxy.Cluster("up", upstream.Port),
            """
            "layered_runtime":{"layers":[{"name":"static","static_layer":{"lateen.overload.memory_limit_bytes":$LIMIT}}]},
            """.Replace("$LIMIT", Limit.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)));
        var readers = new List<TcpClient>();
        try
        {
            for (int i = 0; i < Clients; i++)
            {
                var client = new TcpClient { ReceiveBufferSize = 4096 };
                readers.Add(client);
                await client.ConnectAsync(IPAddress.Loopback, _proxy.Port, TestContext.Current.CancellationToken);
                await client.GetStream().WriteAsync("GET /large HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
            }
            Assert.True(await SettledAsync(upstream), "the upstream's bytes go on flowing");
            Assert.False(process.HasExited, _proxy.Said);
            Assert.Contains("LIVE", await _proxy.AskAsync("/ready"), StringComparison.Ordinal);
            long most = OneProxy.MostResident(process);
            output.WriteLine($"{Clients} readers: {upstream.Sent >> 20} MB from the upstream, {most >> 20} of {Limit >> 20} MB resident");
            Assert.True(most < Limit, $"{most >> 20} MB resident");
            // They were slowed down, not refused: what they hold is bounded.
            Assert.True(upstream.Connections > Clients / 2, $"{upstream.Connections} requests reached the upstream");
        }
        finally
        {
            readers.ForEach(static r => r.Dispose());
        }
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        Assert.True(await Lateen.UntilAsync(async () =>
        {
            try
            {
                return await http.GetStringAsync(new Uri($"http://127.0.0.1:{_proxy.Port}/small")) == "hello";
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                return false;
            }
        }), _proxy.Said);
        Assert.False(process.HasExited);
    }

    // Nothing more comes from the upstream: everybody is above what he may hold.
    private static async Task<bool> SettledAsync(EndlessUpstream upstream)
    {
        using var turn = new PeriodicTimer(TimeSpan.FromMilliseconds(500));
        (long before, int still) = (-1, 0);
        for (int i = 0; i < 60 && still < 3; i++)
        {
            await turn.WaitForNextTickAsync();
            still = upstream.Sent == before && before > 0 ? still + 1 : 0;
            before = upstream.Sent;
        }
        return still == 3;
    }

    /// <summary>An upstream whose answers are as long as somebody takes them.</summary>
    private sealed class EndlessUpstream : IDisposable
    {
        private static readonly byte[] Piece = new byte[64 * 1024];
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private long _sent;
        private int _connections;

        public EndlessUpstream()
        {
            _listener.Start(Clients);
            _ = AcceptAsync();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public long Sent => Interlocked.Read(ref _sent);

        public int Connections => Volatile.Read(ref _connections);

        public void Dispose() => _listener.Dispose();

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
            Interlocked.Increment(ref _connections);
            using (client)
            {
                client.SendBufferSize = Piece.Length;
                try
                {
                    NetworkStream stream = client.GetStream();
                    await stream.ReadAtLeastAsync(new byte[4096], 16);
                    await stream.WriteAsync("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n"u8.ToArray());
                    while (true)
                    {
                        await stream.WriteAsync(Piece);
                        Interlocked.Add(ref _sent, Piece.Length);
                    }
                }
                catch (IOException)
                {
                    // The proxy went away, as its client did.
                }
            }
        }
    }
}
