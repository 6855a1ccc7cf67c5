using System.Text;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Listeners;

public sealed class ProxyHeaderTests
{
    [Theory]
    [InlineData(1, "192.0.2.1", "198.51.100.7")]
    [InlineData(2, "192.0.2.1", "198.51.100.7")]
    [InlineData(1, "2001:db8::1", "2001:db8::2")]
    [InlineData(2, "2001:db8::1", "2001:db8::2")]
    public void What_is_written_is_read(int version, string from, string to)
    {
        Assert.True(Address.TryParse(from, 1234, out Address source) & Address.TryParse(to, 443, out Address destination));
        byte[] written = ProxyHeader.Write(version, source, destination, [(0xf0, "value"u8.ToArray())]);
        int length = written.Length;
        byte[] bytes = [.. written, .. "rest"u8];
        for (int n = 1; n < length; n++)
            Assert.Equal(Inspection.NeedMore, ProxyHeader.Inspect(bytes.AsSpan(0, n), out _, out _));
        Assert.Equal(Inspection.Found, ProxyHeader.Inspect(bytes.AsSpan(0, length + 4), out ProxyHeader? header, out int taken));
        Assert.Equal((version, source, destination, length), (header!.Version, header.Source, header.Destination, taken));
        if (version == 2)
            Assert.Equal((0xf0, "value"), (header.Values[0].Type, Encoding.ASCII.GetString(header.Values[0].Value)));
    }

    [Theory]
    [InlineData("PROXY UNKNOWN\r\n", true)]
    [InlineData("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", true)]
    [InlineData("PROXY TCP4 1.2.3.999 1.2.3.4 1 2\r\n", false)]
    [InlineData("PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n", false)]
    [InlineData("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", false)]
    [InlineData("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", false)]
    [InlineData("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", false)]
    public void A_line_is_good_or_ends_the_connection(string line, bool good)
    {
        Assert.Equal(Inspection.Found, ProxyHeader.Inspect(Encoding.ASCII.GetBytes(line), out ProxyHeader? header, out _));
        Assert.Equal(good, header is not null);
    }

    [Fact]
    public void Anything_else_is_no_header()
    {
        Assert.Equal(Inspection.NotIt, ProxyHeader.Inspect("GET / HTTP/1.1\r\n"u8, out _, out _));
        Assert.Equal(Inspection.NeedMore, ProxyHeader.Inspect("PRO"u8, out _, out _));
        Assert.Equal(Inspection.Found,
            ProxyHeader.Inspect(Encoding.ASCII.GetBytes("PROXY " + new string('x', 200)), out ProxyHeader? header, out _));
        Assert.Null(header);
    }

    [Fact]
    public void Values_behind_the_addresses_are_kept_and_must_fit()
    {
        byte[] good = Convert.FromHexString("0d0a0d0a000d0a515549540a21110019cb007107c63364090fa220fbe1000476706365020003616263");
        Assert.Equal(Inspection.Found, ProxyHeader.Inspect(good, out ProxyHeader? header, out int taken));
        Assert.Equal(good.Length, taken);
        Assert.Equal([(0xe1, "vpce"), (0x02, "abc")], header!.Values.Select(v => ((int)v.Type, Encoding.ASCII.GetString(v.Value))));
        good[^5] = 0xff;
        Assert.Equal(Inspection.Found, ProxyHeader.Inspect(good, out header, out _));
        Assert.Null(header);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Random_bytes_neither_throw_nor_take_more_than_there_is(int seed)
    {
        var random = new Random(seed);
        byte[][] seeds = [Encoding.ASCII.GetBytes("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
            Convert.FromHexString(
                "0d0a0d0a000d0a515549540a2121002420010db800000000000000000000000720010db80000000000000000000000080fa220fb")];
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = [.. seeds[random.Next(2)]];
            for (int k = random.Next(4); k > 0; k--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            ReadOnlySpan<byte> cut = bytes.AsSpan(0, random.Next(bytes.Length + 1));
            if (ProxyHeader.Inspect(cut, out _, out int taken) == Inspection.Found)
                Assert.InRange(taken, 0, cut.Length);
        }
    }
}
