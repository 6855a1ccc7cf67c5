using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Tls;
using Lateen.Test.Unit.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Listeners;

public sealed class ClientHelloTests
{
    /// <summary>What OpenSSL sends first.</summary>
    private static byte[] Hello(string sni, params string[] alpn)
    {
        var network = new MemoryNetwork(1);
        MemoryLoop near = network.AddHost("near", Address.V4(1, 0)).AddLoop(), far = network.AddHost("far", Address.V4(2, 0)).AddLoop();
        var listening = new ProbeAcceptor(() => new Probe());
        far.Listen(new ListenOptions(Address.V4(2, 443)), listening);
        TlsContext context = TlsContext.Create(new TlsOptions { IsServer = false, Alpn = alpn, Sni = sni, VersionMax = TlsVersion.Tls13 },
            out _)!;
        TlsTransport.Connect(near, new ConnectOptions(Address.V4(2, 443)), context, TlsConnectOptions.None, new Probe());
        Assert.True(network.RunUntil(() => listening.Accepted is [{ Received.Length: > 0 }], 1_000_000));
        return listening.Accepted[0].Received.ToArray();
    }

    [Fact]
    public void Name_and_protocols_are_read_as_soon_as_all_is_there()
    {
        byte[] hello = Hello("shop.example", "istio-h2", "h2");
        for (int n = 0; n < hello.Length; n++)
            Assert.Equal(Inspection.NeedMore, ClientHello.Inspect(hello.AsSpan(0, n), out _, out _));
        Assert.Equal(Inspection.Found, ClientHello.Inspect(hello, out string name, out IReadOnlyList<string> protocols));
        Assert.Equal("shop.example", name);
        Assert.Equal(["istio-h2", "h2"], protocols);
        Assert.Equal(Inspection.Found, ClientHello.Inspect(Hello(""), out name, out protocols));
        Assert.Equal(("", 0), (name, protocols.Count));
    }

    [Fact]
    public void A_hello_over_many_records_is_one_hello()
    {
        byte[] hello = Hello("shop.example", "h2");
        ReadOnlySpan<byte> body = hello.AsSpan(5);
        var pieces = new List<byte>();
        for (int at = 0; at < body.Length; at += 7)
        {
            ReadOnlySpan<byte> part = body.Slice(at, Math.Min(7, body.Length - at));
            pieces.AddRange([22, 3, 1, 0, (byte)part.Length, .. part]);
        }
        Assert.Equal(Inspection.Found, ClientHello.Inspect([.. pieces], out string name, out _));
        Assert.Equal("shop.example", name);
    }

    [Fact]
    public void Five_bytes_are_needed_for_any_verdict()
    {
        Assert.Equal(Inspection.NeedMore, ClientHello.Inspect("GET "u8, out _, out _));
        Assert.Equal(Inspection.NotIt, ClientHello.Inspect("GET /"u8, out _, out _));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Random_bytes_neither_throw_nor_hang(int seed)
    {
        var random = new Random(seed);
        byte[] hello = Hello("shop.example", "h2", "http/1.1");
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = [.. hello];
            for (int k = random.Next(1, 5); k > 0; k--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            ClientHello.Inspect(bytes.AsSpan(0, random.Next(bytes.Length + 1)), out _, out _);
        }
    }
}
