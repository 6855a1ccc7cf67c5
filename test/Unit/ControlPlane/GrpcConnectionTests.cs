using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.ControlPlane;
using Lateen.Pilot.Generation;
using Lateen.Test.Rigs.Discovery;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane;

/// <summary>The gRPC ports' HTTP/2, frame by frame.</summary>
public sealed class GrpcConnectionTests() : OnControlPlane(debounceMillis: 10)
{
    private const byte Data = 0, Headers = 1, Settings = 4, Ping = 6, GoAway = 7, Window = 8, Continuation = 9;

    [Fact]
    public async Task Who_has_no_room_holds_nobody_back_and_gets_what_there_is_room_for()
    {
        using Socket narrow = await ConnectAsync();
        await SendAsync(narrow,
            [.. Greeting(window: 0), .. Frame(Headers, 4, 1, Call()), .. Frame(Data, 0, 1, GrpcFrame.ToArray(Asked("narrow")))]);
        Assert.Equal(Headers, (await NextAsync(narrow, Headers, Data)).Type);

        await using AdsClient other = await AdsClient.OpenAsync(Running.Address.Grpc, AdsClient.Delta);
        other.Send(Asked("other"));
        Assert.NotEmpty((await other.ReadAsync(DeltaDiscoveryResponse.Parser))!.Resources);

        await SendAsync(narrow, Frame(Window, 0, 1, [0, 0, 0, 7]));
        Assert.Equal(7, (await NextAsync(narrow, Headers, Data)).Payload.Length);
        // The answer to a ping overtakes what waits for room.
        await SendAsync(narrow, Frame(Ping, 0, 0, "lateen!!"u8));
        (byte type, byte[] payload) = await NextAsync(narrow, Data, Ping);
        Assert.Equal((Ping, "lateen!!"), (type, Encoding.ASCII.GetString(payload)));
        await SendAsync(narrow, Frame(Window, 0, 1, [0, 1, 0, 0]));
        Assert.Equal(Data, (await NextAsync(narrow, Headers, Data)).Type);
    }

    [Fact]
    public async Task Header_blocks_come_in_parts_and_requests_in_single_bytes()
    {
        using Socket client = await ConnectAsync();
        byte[] call = Call();
        await SendAsync(client,
            [.. Greeting(65535), .. Frame(Headers, 0, 1, call.AsSpan(0, 9)), .. Frame(Continuation, 4, 1, call.AsSpan(9))]);
        foreach (byte one in GrpcFrame.ToArray(Asked("bytes"))) await SendAsync(client, Frame(Data, 0, 1, [one]));
        Assert.Equal(Headers, (await NextAsync(client, Headers, Data)).Type);
        Assert.Equal(Data, (await NextAsync(client, Headers, Data)).Type);
    }

    public static TheoryData<string, byte[]> Broken => new()
    {
        { "no preface", Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nhost: lateen\r\n\r\n") },
        { "a frame that is too long", [.. Greeting(65535), 0, 0x80, 0, Data, 0, 0, 0, 0, 1] },
        { "data of no stream", [.. Greeting(65535), .. Frame(Data, 0, 0, [1])] },
        { "data of a stream that was never opened", [.. Greeting(65535), .. Frame(Data, 0, 7, [1])] },
        { "settings of five bytes", [.. Greeting(65535), .. Frame(Settings, 0, 0, [1, 2, 3, 4, 5])] },
        { "a header that refers to nothing", [.. Greeting(65535), .. Frame(Headers, 4, 1, [0xff, 0x40])] },
        { "something between the parts of a header block",
            [.. Greeting(65535), .. Frame(Headers, 0, 1, [0x88]), .. Frame(Ping, 0, 0, "lateen!!"u8)] },
        { "a window without end",
            [.. Greeting(65535), .. Frame(Window, 0, 0, [0x7f, 0xff, 0xff, 0xff]), .. Frame(Window, 0, 0, [0x7f, 0xff, 0xff, 0xff])] },
        { "more padding than payload", [.. Greeting(65535), .. Frame(Headers, 4, 1, Call()), .. Frame(Data, 8, 1, [9, 1])] },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task What_breaks_the_protocol_ends_the_connection_and_nothing_else(string what, byte[] sent)
    {
        using Socket client = await ConnectAsync();
        await SendAsync(client, sent);
        Assert.True((await NextAsync(client, GoAway)).Type == GoAway, what);
        await using AdsClient other = await AdsClient.OpenAsync(Running.Address.Grpc, AdsClient.Delta);
        other.Send(Asked("other"));
        Assert.NotEmpty((await other.ReadAsync(DeltaDiscoveryResponse.Parser))!.Resources);
    }

    private static DeltaDiscoveryRequest Asked(string name) =>
        new() { Node = AdsClient.Sidecar(name, "default"), TypeUrl = TypeUrls.Cluster };

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPEndPoint.Parse(Running.Address.Grpc));
        return socket;
    }

    private static byte[] Greeting(int window)
    {
        byte[] setting = [0, 4, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(setting.AsSpan(2), window);
        return [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(Settings, 0, 0, setting)];
    }

    private static byte[] Call()
    {
        var block = new List<byte>();
        foreach ((string name, string value) in new[] { (":method", "POST"), (":scheme", "http"),
            (":path", "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"),
            ("content-type", "application/grpc") })
            block.AddRange([0, (byte)name.Length, .. Encoding.ASCII.GetBytes(name), (byte)value.Length, .. Encoding.ASCII.GetBytes(value)]);
        return [.. block];
    }

    private static byte[] Frame(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        byte[] head = [(byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(5), stream);
        return [.. head, .. payload];
    }

    private static async Task SendAsync(Socket socket, byte[] bytes) =>
        await socket.SendAsync(bytes.AsMemory()).AsTask().WaitAsync(AdsClient.Patience);

    // The next frame of one of these types.
    private static async Task<(byte Type, byte[] Payload)> NextAsync(Socket socket, params byte[] types)
    {
        while (true)
        {
            byte[] head = await ReadAsync(socket, 9), payload = await ReadAsync(socket, (head[0] << 16) | (head[1] << 8) | head[2]);
            if (types.Contains(head[3])) return (head[3], payload);
        }
    }

    private static async Task<byte[]> ReadAsync(Socket socket, int count)
    {
        byte[] bytes = new byte[count];
        for (int at = 0; at < count;)
        {
            int read = await socket.ReceiveAsync(bytes.AsMemory(at)).AsTask().WaitAsync(AdsClient.Patience);
            Assert.True(read > 0, "the connection is closed");
            at += read;
        }
        return bytes;
    }
}
