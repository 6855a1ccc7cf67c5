using System.Text;
using Lateen.Proxy.Tcp.Redis;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tcp;

public sealed class RespTests
{
    [Theory]
    [InlineData("+OK\r\n")]
    [InlineData("-ERR no\r\n")]
    [InlineData(":-12\r\n")]
    [InlineData("$-1\r\n")]
    [InlineData("$5\r\nva\r\ne\r\n")]
    [InlineData("*-1\r\n")]
    [InlineData("*2\r\n$1\r\na\r\n*1\r\n:1\r\n")]
    public void A_value_is_measured_however_it_is_cut(string text)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(text);
        for (int n = 0; n < bytes.Length; n++)
            Assert.Equal(RespOutcome.More, Resp.Measure(bytes.AsSpan(0, n), out _));
        Assert.Equal(RespOutcome.Whole, Resp.Measure([.. bytes, .. "+more\r\n"u8], out int length));
        Assert.Equal(bytes.Length, length);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n")]
    [InlineData("$x\r\n")]
    [InlineData("$99999999999\r\n")]
    [InlineData("*99999999\r\n")]
    [InlineData("$2\r\nabcd")]
    public void Anything_else_is_broken(string text) =>
    Assert.Equal(RespOutcome.Broken, Resp.Measure(Encoding.ASCII.GetBytes(text), out _));

    [Fact]
    public void Lists_within_lists_end_somewhere() =>
        Assert.Equal(RespOutcome.Broken, Resp.Measure(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("*1\r\n", 1000))), out _));

    [Fact]
    public void What_is_written_is_read()
    {
        byte[][] words = ["SET"u8.ToArray(), "k\r\ney"u8.ToArray(), []];
        Assert.Equal(words, Resp.Words(Resp.Request(words)));
        Assert.Null(Resp.Words("*1\r\n:1\r\n"u8));
        Assert.Equal(7, Resp.Integer(":7\r\n"u8));
        Assert.Null(Resp.Integer("+7\r\n"u8));
    }
}
