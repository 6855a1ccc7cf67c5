using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace Lateen.Test.Real.Stands;

/// <summary>Bytes that nobody should send, to every port and socket of a mesh: nobody ends, nobody grows without bound, and the next
/// request is served.</summary>
public sealed class HostileStand(ITestOutputHelper output) : IAsyncLifetime
{
    private const int GrowthBytesMax = 96 << 20;
    private readonly Random _chance = new(20_261_121);
    private RunningMesh _mesh = null!;

    // Without namespaces every port lies on an address of this machine.
    public async ValueTask InitializeAsync() => _mesh = await RunningMesh.StartAsync(SmallMesh.Yaml, capture: "loopback");

    public async ValueTask DisposeAsync() => await _mesh.DisposeAsync();

    [Fact]
    public async Task Hostile_bytes_to_every_port_end_nobody_and_nobody_grows_without_bound()
    {
        using Process console = Process.Start(
            Lateen.Start(_mesh.Folder, "console", "--addr", "127.0.0.1:" + Lateen.FreePort().ToString(CultureInfo.InvariantCulture)))!;
        try
        {
            await console.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
            int[] processes = [.. _mesh.Descendants().Where(IsOurs), _mesh.ProcessId, console.Id];
            int[] known = [15001, 15006, 15020, 15021, 15090, _mesh.Port];
            HashSet<EndPoint> doors = [.. Sockets()];
            // The kernel's list is read in pieces and may lack a part where sockets come and go meanwhile. Admin pages are among the doors,
            // on whatever port of this machine was free.
            for (int reading = 0; reading < 20
                && doors.OfType<IPEndPoint>().Select(door => door.Port).Intersect(known).Count() < known.Length; reading++)
                doors.UnionWith(ListeningSockets.Of(processes));
            Assert.True(doors.OfType<IPEndPoint>().Select(door => door.Port).Intersect(known).Count() == known.Length,
                string.Join(", ", doors.Select(door => door.ToString())));
            Dictionary<int, long> before = processes.ToDictionary(id => id, Resident);
            int rounds = Lateen.IsLong ? 20 : 1;
            for (int round = 0; round < rounds; round++)
            {
                foreach (EndPoint door in doors) await Task.WhenAll(Payloads().Select(payload => AttackAsync(door, payload)));
            }
            output.WriteLine($"{doors.Count} doors, {rounds} rounds of {Payloads().Count()} kinds; growth in "
                + $"MB: {string.Join(", ", processes.Select(id => $"{(Resident(id) - before[id]) >> 20}"))}");
            Assert.All(processes, id => Assert.True(Lateen.Lives(id), $"process {id} ended: {_mesh.Said}"));
            Assert.All(processes, id =>
                Assert.True(Resident(id) - before[id] < GrowthBytesMax, $"process {id} grew by {(Resident(id) - before[id]) >> 20} MB"));
            using HttpResponseMessage answer = await _mesh.Client.GetAsync(_mesh.Page("/ratings/0"), TestContext.Current.CancellationToken);
            Assert.Equal(200, (int)answer.StatusCode);
            await _mesh.ApplyAsync(SmallMesh.Subsets);
            string defects = string.Join('\n',
                Directory.GetFiles(Path.Combine(_mesh.State, "logs")).SelectMany(File.ReadLines)
                    .Where(line => line.Contains("defect", StringComparison.Ordinal) || line.Contains("Unhandled", StringComparison.Ordinal)
                        || line.Contains("\tfault\t", StringComparison.Ordinal)).Take(5));
            Assert.True(defects.Length == 0, defects);
        }
        finally
        {
            console.Kill();
            await console.WaitForExitAsync(CancellationToken.None);
        }
    }

    // The demo's own programs are not what is tried here.
    private static bool IsOurs(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/cmdline").Contains("lateen\0", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private IEnumerable<EndPoint> Sockets() => Directory.EnumerateFiles(_mesh.State, "*", SearchOption.AllDirectories)
        .Where(path => Path.GetFileName(path) is "xds.sock" or "up.sock" or "XDS")
        .Select(path => Path.GetRelativePath(Directory.GetCurrentDirectory(), path) is var near && near.Length < path.Length ? near : path)
        .Where(path => path.Length < 108).Select(path => new UnixDomainSocketEndPoint(path));

    private IEnumerable<byte[]> Payloads()
    {
        byte[] noise = new byte[16 << 10], tls = [0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3, .. new byte[8000]];
        _chance.NextBytes(noise);
        byte[] preface = Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        byte[] settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        yield return [];
        yield return [0];
        yield return noise;
        yield return tls;
        yield return [.. preface, .. noise];
        yield return [.. preface, .. settings, .. Frames(9, 8, 0, 0xff)];
        // A thousand streams opened and reset; a header block that never ends; settings and pings without end.
        yield return [.. preface, .. settings,
            .. Enumerable.Range(0, 1000)
                .SelectMany(i => (byte[])[.. Frame(1, 5, (2 * i) + 1, [0x82, 0x86, 0x84, 0x41, 1, (byte)'a']),
                    .. Frame(3, 0, (2 * i) + 1, [0, 0, 0, 8])])];
        yield return [.. preface, .. settings, .. Frame(1, 0, 1, [0x82]),
            .. Enumerable.Range(0, 200).SelectMany(_ => Frame(9, 0, 1, new byte[8000]))];
        yield return [.. preface, .. Enumerable.Range(0, 20_000).SelectMany(_ => settings)];
        // A message of discovery that says it has four gigabytes.
        yield return [.. preface, .. settings, .. Frame(1, 4, 1, DiscoveryHead()),
            .. Frame(0, 0, 1, [0, 0xff, 0xff, 0xff, 0xff, .. noise.AsSpan(0, 8000)])];
        yield return [.. preface, .. settings, .. Frame(1, 4, 1, DiscoveryHead()),
            .. Frame(0, 0, 1, [0, 0, 0, 0x1f, 0x40, .. noise.AsSpan(0, 8000)])];
        yield return Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nhost: a\r\n"
            + string.Concat(Enumerable.Range(0, 5000).Select(i => $"x-{i}: {new string('y', 200)}\r\n")));
        yield return Encoding.ASCII.GetBytes("GET /" + new string('a', 1 << 20));
        yield return Encoding.ASCII.GetBytes("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n"
            + new string('z', 4000));
        yield return Encoding.ASCII.GetBytes("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999\r\n\r\n"
            + new string('z', 100_000));
        yield return Encoding.ASCII.GetBytes(
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n");
        yield return Encoding.ASCII.GetBytes(
            string.Concat(Enumerable.Repeat("GET /%00%ff/../..//?\u0001 HTTP/1.1\r\nhost: a\r\n\r\n", 200)));
        yield return Encoding.ASCII.GetBytes("{\"do\":\"join\",\"name\":[{}],\"ports\":{}}\n{\"do\":7}\n[]\n" + new string('[', 100_000)
            + "\n");
        yield return [.. Encoding.ASCII.GetBytes(
            "POST /lateen/v1/apply HTTP/1.1\r\nhost: a\r\nauthorization: Bearer x\r\ncontent-length: 16384\r\n\r\n"), .. noise];
    }

    private static byte[] DiscoveryHead()
    {
        byte[] path = Encoding.ASCII.GetBytes("/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"),
            type = Encoding.ASCII.GetBytes("application/grpc");
        return [0x83, 0x86, 0x04, (byte)path.Length, .. path, 0x41, 1, (byte)'a', 0x0f, 0x10, (byte)type.Length, .. type];
    }

    private static byte[] Frame(byte type, byte flags, int stream, byte[] body) =>
        [(byte)(body.Length >> 16), (byte)(body.Length >> 8), (byte)body.Length, type, flags, (byte)(stream >> 24), (byte)(stream >> 16),
            (byte)(stream >> 8), (byte)stream, .. body];

    // Frames of every type with lengths and flags that do not fit.
    private static IEnumerable<byte> Frames(int types, int streams, byte low, byte high)
    {
        for (int type = 0; type <= types; type++)
        {
            for (int stream = 0; stream < streams; stream++)
            {
                foreach (byte b in Frame((byte)type, stream % 2 == 0 ? low : high, stream, new byte[stream * 3])) yield return b;
            }
        }
    }

    // Sends, reads what comes for a moment, and goes away, now and then without a word.
    private async Task AttackAsync(EndPoint door, byte[] payload)
    {
        using var socket = new Socket(door.AddressFamily, SocketType.Stream,
            door is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        try
        {
            await socket.ConnectAsync(door, patience.Token);
            await socket.SendAsync(payload, patience.Token);
            byte[] said = new byte[4096];
            using var moment = CancellationTokenSource.CreateLinkedTokenSource(patience.Token);
            moment.CancelAfter(TimeSpan.FromMilliseconds(60));
            while (await socket.ReceiveAsync(said, moment.Token) > 0) { }
        }
        catch (Exception refused) when (refused is SocketException or OperationCanceledException)
        {
            // Turned away, as it should be.
        }
        if (payload.Length % 3 == 0) socket.LingerState = new LingerOption(true, 0);
    }

    private static long Resident(int id)
    {
        try
        {
            return long.Parse(File.ReadLines($"/proc/{id}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
        }
        catch (Exception gone) when (gone is IOException or InvalidOperationException)
        {
            return 0;
        }
    }
}

/// <summary>The TCP sockets on which processes listen, read from /proc.</summary>
internal static class ListeningSockets
{
    private const string Listening = "0A";

    public static IEnumerable<IPEndPoint> Of(IEnumerable<int> processes)
    {
        HashSet<string> inodes = [.. processes.SelectMany(Inodes)];
        return File.ReadLines("/proc/net/tcp").Skip(1).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(row => row[3] == Listening && inodes.Contains(row[9])).Select(row => Address(row[1])).Distinct()
            .OrderBy(door => door.ToString(), StringComparer.Ordinal);
    }

    private static IEnumerable<string> Inodes(int process)
    {
        foreach (string link in Directory.EnumerateFileSystemEntries($"/proc/{process}/fd"))
        {
            string? target = null;
            try
            {
                target = new FileInfo(link).LinkTarget;
            }
            catch (IOException)
            {
                // Closed meanwhile.
            }
            if (target?.StartsWith("socket:[", StringComparison.Ordinal) == true) yield return target[8..^1];
        }
    }

    // "0100007F:1F90": the address in the machine's byte order.
    private static IPEndPoint Address(string text)
    {
        var address = new IPAddress(uint.Parse(text[..8], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        return new IPEndPoint(address.Equals(IPAddress.Any) ? IPAddress.Loopback : address,
            int.Parse(text[9..], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
    }
}
