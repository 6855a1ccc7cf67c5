using System.Text;
using Lateen.Api.Http;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Http.Two.Blocks;
using Lateen.Proxy.Net;
using Lateen.Test.Rigs.Codecs;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Http;

public sealed class HpackTests
{
    private static readonly CodecOptions Options = new();

    private static byte[] Hex(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));

    private static string Decode(HpackDecoder decoder, BlockKind kind, byte[] block)
    {
        var builder = new HeadBuilder(Options);
        var map = new HeaderMap();
        builder.Begin(kind, map, null);
        Assert.True(decoder.Decode(block, builder));
        Assert.Equal(BlockFault.None, builder.Fault);
        return RecordedRequest.Show(map);
    }

    [Fact]
    public void A_field_that_was_unsound_when_it_came_is_unsound_from_the_table()
    {
        // x-a: a line break, into the table; then the same by its index, in a block of its own.
        var decoder = new HpackDecoder(4096);
        foreach (string block in (string[])["4003782d61010a", "be"])
        {
            var builder = new HeadBuilder(Options);
            builder.Begin(BlockKind.RequestTrailers, new HeaderMap(), null);
            Assert.True(decoder.Decode(Hex(block), builder));
            Assert.Equal(BlockFault.Field, builder.Fault);
        }
    }

    [Fact]
    public void A_head_that_repeats_is_read_as_it_was_the_first_time()
    {
        (KnownHeader Known, string Name, string Value)[][] heads =
        [
            [(KnownHeader.Method, ":method", "GET"), (KnownHeader.Scheme, ":scheme", "http"), (KnownHeader.Path, ":path", "/"),
                (KnownHeader.Authority, ":authority", "a"), (KnownHeader.None, "x-a", "1")],
            [(KnownHeader.Method, ":method", "POST"), (KnownHeader.Scheme, ":scheme", "http"), (KnownHeader.Path, ":path", "/p"),
                (KnownHeader.Authority, ":authority", "b"), (KnownHeader.Te, "te", "trailers"),
                (KnownHeader.ContentLength, "content-length", "7")],
            [(KnownHeader.Method, ":method", "GET"), (KnownHeader.Scheme, ":scheme", "https"), (KnownHeader.Path, ":path", "/"),
                (KnownHeader.Authority, ":authority", "a"), (KnownHeader.UserAgent, "user-agent", "u")],
        ];
        var random = new Random(5);
        var encoder = new HpackEncoder(4096);
        var decoder = new HpackDecoder(4096);
        for (int i = 0, head = 0; i < 2_000; i++)
        {
            if (random.Next(5) == 0)
                head = random.Next(heads.Length);
            var fields = heads[head].ToList();
            // What differs stands behind what repeats; now and then it enters the table, and all indices move.
            if (random.Next(3) == 0)
                fields.Add((KnownHeader.None, "x-trace", random.Next(40).ToString(System.Globalization.CultureInfo.InvariantCulture)));
            if (random.Next(50) == 0)
                encoder.SetPeerMax((uint)random.Next(64, 512));
            encoder.Begin();
            foreach ((KnownHeader known, string name, string value) in fields)
                encoder.Add(known, Encoding.ASCII.GetBytes(name), Encoding.ASCII.GetBytes(value));
            Assert.Equal(string.Concat(fields.Select(f => $"{f.Name}={f.Value}\n")),
                Decode(decoder, BlockKind.Request, encoder.Block.ToArray()));
        }
    }

    [Theory]
    // Behind the beginning: one field too many; a method once more; a cookie that joins the one in the beginning.
    [InlineData("0f0d0131 0001610162 0001620163", BlockFault.TooMany, "")]
    [InlineData("0203474554", BlockFault.Field, "")]
    [InlineData("0f110379 3d32", BlockFault.None, ":method=GET\n:scheme=http\n:path=/\n:authority=a\ncookie=x=1; y=2\n")]
    public void What_comes_behind_a_repeated_beginning_is_judged_with_it(string behind, BlockFault fault, string shown)
    {
        var builder = new HeadBuilder(new CodecOptions { HeaderCountMax = 7 });
        var decoder = new HpackDecoder(4096);
        var map = new HeaderMap();
        builder.Begin(BlockKind.Request, map, null);
        Assert.True(decoder.Decode(Hex("828684 410161 6003783d31"), builder));
        for (int i = 0; i < 5; i++)
        {
            foreach (bool alone in (bool[])[true, false, true, true])
            {
                builder.Begin(BlockKind.Request, map, null);
                Assert.True(decoder.Decode(Hex("828684bfbe" + (alone ? "" : behind)), builder));
                builder.Finish(endStream: false);
                Assert.Equal(alone ? BlockFault.None : fault, builder.Fault);
                if (alone || fault == BlockFault.None)
                    Assert.Equal(alone ? ":method=GET\n:scheme=http\n:path=/\n:authority=a\ncookie=x=1\n" : shown,
                        RecordedRequest.Show(map));
            }
        }
    }

    /// <summary>RFC 7541 C.3 (plain) and C.4 (Huffman): the same three requests.</summary>
    [Theory]
    [InlineData("828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565")]
    [InlineData("828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf")]
    public void Requests_of_the_standard(string first, string second, string third)
    {
        var decoder = new HpackDecoder(4096);
        Assert.Equal(":method=GET\n:scheme=http\n:path=/\n:authority=www.example.com\n", Decode(decoder, BlockKind.Request, Hex(first)));
        Assert.Equal(57, decoder.Table.Size);
        Assert.Equal(":method=GET\n:scheme=http\n:path=/\n:authority=www.example.com\ncache-control=no-cache\n",
            Decode(decoder, BlockKind.Request, Hex(second)));
        Assert.Equal(110, decoder.Table.Size);
        Assert.Equal(":method=GET\n:scheme=https\n:path=/index.html\n:authority=www.example.com\ncustom-key=custom-value\n",
            Decode(decoder, BlockKind.Request, Hex(third)));
        Assert.Equal(164, decoder.Table.Size);
        Assert.Equal(3, decoder.Table.Count);
    }

    /// <summary>RFC 7541 C.5 (plain) and C.6 (Huffman): three responses through a table of 256 bytes, with evictions.</summary>
    [Theory]
    [InlineData(
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31")]
    [InlineData(
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007")]
    public void Responses_of_the_standard(string first, string second, string third)
    {
        var decoder = new HpackDecoder(4096);
        decoder.Table.Resize(256);
        const string Rest = "cache-control=private\ndate=Mon, 21 Oct 2013 20:13:21 GMT\nlocation=https://www.example.com\n";
        Assert.Equal(":status=302\n" + Rest, Decode(decoder, BlockKind.Response, Hex(first)));
        Assert.Equal(222, decoder.Table.Size);
        Assert.Equal(":status=307\n" + Rest, Decode(decoder, BlockKind.Response, Hex(second)));
        Assert.Equal(222, decoder.Table.Size);
        Assert.Equal(
            ":status=200\ncache-control=private\ndate=Mon, 21 Oct 2013 20:13:22 "
            + "GMT\nlocation=https://www.example.com\ncontent-encoding=gzip\n"
            + "set-cookie=foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n",
            Decode(decoder, BlockKind.Response, Hex(third)));
        Assert.Equal(215, decoder.Table.Size);
        Assert.Equal(3, decoder.Table.Count);
    }

    [Theory]
    [InlineData("80")]
    [InlineData("ffffffffff0f")]
    [InlineData("828684410f7777772e6578616d706c652e636f6d400378")]
    [InlineData("828684410f7777772e6578616d706c652e636f6d0003782d6185ffffffffff")]
    [InlineData("82862084")]
    [InlineData("3fe2ff01")]
    public void Malformed_blocks_are_refused(string block)
    {
        var builder = new HeadBuilder(Options);
        builder.Begin(BlockKind.Request, new HeaderMap(), null);
        Assert.False(new HpackDecoder(4096).Decode(Hex(block), builder));
    }

    [Fact]
    public void Huffman_gives_back_every_text()
    {
        var chance = new Chance(7);
        byte[] coded = new byte[4096];
        byte[] decoded = new byte[4096];
        for (int round = 0; round < 500; round++)
        {
            byte[] text = new byte[chance.Below(300)];
            for (int i = 0; i < text.Length; i++)
                text[i] = (byte)chance.Below(round % 2 == 0 ? 256u : 128u);
            int n = Huffman.Encode(text, coded);
            Assert.Equal(Huffman.EncodedLength(text), n);
            Assert.Equal(text.Length, Huffman.Decode(coded.AsSpan(0, n), decoded));
            Assert.Equal(text, decoded[..text.Length]);
        }
    }

    /// <summary>Whatever is encoded is decoded alike, while the table is resized, filled and emptied.</summary>
    [Fact]
    public void Encoder_and_decoder_stay_in_step()
    {
        var chance = new Chance(11);
        var encoder = new HpackEncoder(4096);
        var decoder = new HpackDecoder(4096);
        for (int round = 0; round < 2000; round++)
        {
            if (chance.Hits(1, 50))
                encoder.SetPeerMax(chance.Below(4097));
            var sent = new StringBuilder(":status=200\n");
            encoder.Begin();
            encoder.Add(KnownHeader.Status, ":status"u8, "200"u8);
            for (uint i = chance.Below(12); i > 0; i--)
            {
                byte[] name = Encoding.ASCII.GetBytes($"x-name-{chance.Below(20)}");
                byte[] value = Encoding.ASCII.GetBytes(
                    new string((char)('a' + chance.Below(26)), (int)chance.Below(chance.Hits(1, 20) ? 900u : 30u)) + chance.Below(3));
                encoder.Add(KnownHeaders.Find(name), name, value);
                sent.Append(Encoding.ASCII.GetString(name)).Append('=').Append(Encoding.ASCII.GetString(value)).Append('\n');
            }
            Assert.Equal(sent.ToString(), Decode(decoder, BlockKind.Response, encoder.Block.ToArray()));
            Assert.Equal(encoder.Table.Size, decoder.Table.Size);
            Assert.Equal(encoder.Table.Count, decoder.Table.Count);
        }
    }

    [Fact]
    public void What_repeats_is_sent_as_an_index_the_third_time()
    {
        var encoder = new HpackEncoder(4096);
        int[] lengths = new int[3];
        for (int i = 0; i < 3; i++)
        {
            encoder.Begin();
            encoder.Add(KnownHeader.UserAgent, "user-agent"u8, "a-client/1.0"u8);
            encoder.Add(KnownHeader.None, "x-version"u8, "v2"u8);
            lengths[i] = encoder.Block.Length;
        }
        Assert.Equal(2, lengths[2]);
        Assert.True(lengths[0] > 20 && lengths[1] > 10);
    }
}
