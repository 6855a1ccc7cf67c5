using System.Text;
using Lateen.Proxy.Filters.Compression;
using Lateen.Proxy.Formats;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters.Transforms;

/// <summary>Streams compressed and made plain again, whatever the parts they come in.</summary>
public sealed class CompressionTests
{
    public static TheoryData<string> Codings => ["gzip", "br", "zstd"];

    private static ByteTransform In(string coding) => coding switch
    {
        "gzip" => new GzipCompression(new GzipOptions()),
        "br" => new BrotliCompression(3, 18),
        _ => new ZstdCompression(3, checksum: true, 0, []),
    };

    private static ByteTransform Out(string coding) => coding switch
    {
        "gzip" => new GzipDecompression(15, 100),
        "br" => new BrotliDecompression(),
        _ => new ZstdDecompression([]),
    };

    [Theory]
    [MemberData(nameof(Codings))]
    public void What_went_in_comes_out(string coding)
    {
        ByteTransform compression = In(coding), plain = Out(coding);
        var random = new Random(7);
        for (int round = 0; round < 20; round++)
        {
            var text = new byte[random.Next(1, 60_000)];
            for (int i = 0; i < text.Length; i++)
                text[i] = (byte)('a' + (random.Next(100) / 20));
            var packed = new ByteBuffer();
            int at = 0;
            while (at < text.Length)
            {
                int n = Math.Min(random.Next(1, 9000), text.Length - at);
                Assert.True(compression.Run(text.AsSpan(at, n), packed, TransformEnd.Flush));
                at += n;
            }
            compression.Run(default, packed, TransformEnd.Finish);
            var back = new ByteBuffer();
            byte[] bytes = packed.Written.ToArray();
            for (at = 0; at < bytes.Length; at += 1000)
                Assert.True(plain.Run(bytes.AsSpan(at, Math.Min(1000, bytes.Length - at)), back, TransformEnd.Flush));
            Assert.Equal(text, back.Written.ToArray());
            Assert.True(packed.Length < text.Length + 64);
            compression.Reset();
            plain.Reset();
        }
    }

    [Theory]
    [MemberData(nameof(Codings))]
    public void Bytes_that_are_no_stream_end_it(string coding)
    {
        var output = new ByteBuffer();
        Assert.False(Out(coding).Run(Encoding.ASCII.GetBytes(new string('!', 200)), output, TransformEnd.Flush));
    }

    [Theory]
    [MemberData(nameof(Codings))]
    public void A_stream_that_grows_beyond_all_measure_is_cut_off(string coding)
    {
        var packed = new ByteBuffer();
        In(coding).Run(new byte[64 << 20], packed, TransformEnd.Finish);
        ByteTransform plain = Out(coding);
        var output = new ByteBuffer();
        bool good = true;
        byte[] bytes = packed.Written.ToArray();
        for (int at = 0; at < bytes.Length && good; at += 512)
            good = plain.Run(bytes.AsSpan(at, Math.Min(512, bytes.Length - at)), output, TransformEnd.Flush);
        Assert.False(good);
        Assert.True(output.Length < 32 << 20);
    }
}
