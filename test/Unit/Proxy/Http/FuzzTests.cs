using System.Runtime.CompilerServices;
using System.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Http;

/// <summary>
/// Whatever a peer sends: no exception, no endless loop, no memory beyond the limits. Inputs are the corpus beside this file and frames made here, changed by a
/// seeded source; a failure names its seed, and the input that showed it belongs into the corpus.
/// </summary>
public sealed class FuzzTests
{
    private const int Rounds = 4_000;

    private static readonly CodecOptions Options = new()
    {
        HeadBytesMax = 4096,
        HeaderCountMax = 20,
        BufferLimit = 16 * 1024,
        One = new Http1Options { Trailers = true, AcceptHttp10 = true, AllowChunkedLength = true },
        Two = new Http2Options { AllowConnect = true, StreamWindow = 65535, ConnectionWindow = 128 * 1024, ConcurrentStreamsMax = 16 },
        StreamErrorOnInvalidMessage = true,
    };

    private static byte[][] Corpus(string prefix, [CallerFilePath] string here = "") =>
        [.. Directory.GetFiles(Path.Combine(Path.GetDirectoryName(here)!, "corpus"), prefix + "*").Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];

    private static byte[] Mutate(Chance chance, byte[][] seeds)
    {
        var bytes = new List<byte>(seeds[chance.Below((uint)seeds.Length)]);
        if (chance.Hits(1, 4))
            bytes.AddRange(seeds[chance.Below((uint)seeds.Length)]);
        for (uint n = chance.Below(6); n > 0 && bytes.Count > 0; n--)
        {
            int at = (int)chance.Below((uint)bytes.Count);
            switch (chance.Below(6))
            {
                case 0:
                    bytes[at] = (byte)chance.Below(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << (int)chance.Below(8));
                    break;
                case 2:
                    bytes.RemoveRange(at, Math.Min((int)chance.Below(8) + 1, bytes.Count - at));
                    break;
                case 3:
                    bytes.InsertRange(at, bytes.GetRange(at, Math.Min((int)chance.Below(40), bytes.Count - at)));
                    break;
                case 4:
                    bytes.InsertRange(at, "\r\n\t :;,\0\n"u8[(int)chance.Below(9)..][..1].ToArray());
                    break;
                default:
                    bytes.InsertRange(at, Encoding.ASCII.GetBytes(chance.Hits(1, 2) ? "Transfer-Encoding: chunked\r\n" : "ffffffff"));
                    break;
            }
        }
        return [.. bytes];
    }

    // Shows the bytes in pieces of chance, then ends the connection.
    private static void Feed(Chance chance, SinkTransport transport, byte[] input)
    {
        ReadOnlySpan<byte> rest = input;
        while (!rest.IsEmpty && !transport.IsClosed)
        {
            int n = (int)Math.Min(rest.Length, chance.Hits(1, 3) ? 1 + chance.Below(4) : 1 + chance.Below(400));
            transport.Handler.OnData(transport, rest[..n]);
            rest = rest[n..];
        }
        if (!transport.IsClosed && chance.Hits(1, 2))
            transport.Handler.OnEnd(transport);
        transport.TellClosed();
    }

    private static void Run(Func<Chance, byte[]> make, Action<SinkTransport> wrap)
    {
        for (ulong seed = 1; seed <= Rounds; seed++)
        {
            var chance = new Chance(seed);
            byte[] input = make(chance);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                var transport = new SinkTransport();
                wrap(transport);
                Feed(chance, transport, input);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}: {Convert.ToHexString(input)}", e);
            }
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1_000_000, $"seed {seed} allocates too much");
        }
    }

    [Fact]
    public void Http1_server()
    {
        byte[][] seeds = Corpus("h1-");
        Run(c => Mutate(c, seeds), t => _ = new Http1ServerConnection(t, new PooledAcceptor(), Options));
    }

    [Fact]
    public void Http1_client()
    {
        byte[][] seeds = Corpus("h1-answer");
        HeaderMap head = PooledAcceptor.RequestHeadOf("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        Run(c => Mutate(c, seeds), t => new Http1ClientConnection(t, new RecordingOwner(), Options).Begin(new RecordedResponse()).SendHead(head, true));
    }

    [Fact]
    public void Http2_server()
    {
        byte[][] seeds = [Http2Tests.Start(), .. FrameSeeds().Select(f => Http2Tests.Start(f))];
        Run(c => c.Hits(1, 2) ? Mutate(c, seeds) : RandomFrames(c, Http2Tests.Start()), t => _ = new Http2ServerConnection(t, new PooledAcceptor(), Options));
    }

    [Fact]
    public void Http2_client()
    {
        byte[][] seeds = [.. FrameSeeds()];
        HeaderMap head = PooledAcceptor.RequestHeadOf("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        Run(
            c => c.Hits(1, 2) ? Mutate(c, seeds) : RandomFrames(c, Http2Tests.Frame(4, 0, 0, default)),
            t =>
            {
                var connection = new Http2ClientConnection(t, new RecordingOwner(), Options);
                for (int i = 0; i < 3; i++)
                    connection.Begin(new RecordedResponse()).SendHead(head, i != 1);
            });
    }

    [Fact]
    public void Hpack()
    {
        byte[] block = Http2Tests.Block((":method", "GET"), (":path", "/"), ("x-a", "value"), ("cookie", "a"), ("cookie", "b"));
        Run(c => Mutate(c, [block]), t =>
        {
            t.Handler = new Nobody();
            var decoder = new HpackDecoder(4096);
            var builder = new HeadBuilder(Options);
            for (ulong seed = 0; seed < 4; seed++)
            {
                builder.Begin(BlockKind.Request, new HeaderMap(), null);
                decoder.Decode(Mutate(new Chance(seed + (ulong)t.GetHashCode()), [block]), builder);
                builder.Finish(true);
            }
        });
    }

    private static IEnumerable<byte[]> FrameSeeds()
    {
        yield return Http2Tests.Request(1, 5);
        yield return [.. Http2Tests.Request(1, 4), .. Http2Tests.Frame(0, 1, 1, "hello"u8)];
        yield return [.. Http2Tests.Request(1, 0), .. Http2Tests.Frame(9, 4, 1, Http2Tests.Block(("x-a", "b")))];
        yield return [.. Http2Tests.Frame(4, 0, 0, [0, 4, 0, 0, 0, 9]), .. Http2Tests.Frame(8, 0, 0, [0, 0, 1, 0]), .. Http2Tests.Frame(6, 0, 0, "12345678"u8)];
        yield return [.. Http2Tests.Frame(4, 0, 0, default), .. Http2Tests.Frame(1, 4, 1, Http2Tests.Block((":status", "200"))), .. Http2Tests.Frame(0, 1, 1, "hello"u8)];
        yield return [.. Http2Tests.Frame(4, 0, 0, default), .. Http2Tests.Frame(7, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0]), .. Http2Tests.Frame(3, 0, 1, [0, 0, 0, 8])];
    }

    private static byte[] RandomFrames(Chance chance, byte[] start)
    {
        var bytes = new List<byte>(start);
        for (uint n = chance.Below(60); n > 0; n--)
        {
            byte[] payload = new byte[chance.Below(chance.Hits(1, 10) ? 300u : 12u)];
            for (int i = 0; i < payload.Length; i++)
                payload[i] = (byte)chance.Below(256);
            byte[] frame = chance.Hits(1, 3)
                ? Http2Tests.Request(1 + (2 * chance.Below(20)), (int)chance.Below(6))
                : Http2Tests.Frame((int)chance.Below(11), (int)chance.Below(64), chance.Below(8), payload);
            bytes.AddRange(frame);
        }
        return [.. bytes];
    }

    private sealed class Nobody : TransportHandler
    {
        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason)
        {
        }
    }
}
