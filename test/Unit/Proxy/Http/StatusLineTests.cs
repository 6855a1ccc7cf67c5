using Lateen.Proxy.Http;
using Lateen.Test.Rigs.Codecs;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Http;

public sealed class StatusLineTests
{
    [Theory]
    [InlineData(200, "1.1", "HTTP/1.1 200 OK\r\n")]
    [InlineData(503, "1.1", "HTTP/1.1 503 Service Unavailable\r\n")]
    [InlineData(299, "1.1", "HTTP/1.1 299 Unknown\r\n")]
    [InlineData(999, "1.1", "HTTP/1.1 999 Unknown\r\n")]
    [InlineData(1200, "1.1", "HTTP/1.1 1200 Unknown\r\n")]
    [InlineData(200, "1.0", "HTTP/1.0 200 OK\r\n")]
    public void It_has_the_status_and_the_phrase_of_its_registry(int status, string version, string line)
    {
        var acceptor = new RecordingAcceptor(r => r.Answer(status, "ok"));
        Wire wire = Wire.ToServer(acceptor, new CodecOptions { One = new Http1Options { AcceptHttp10 = true } });
        wire.Send($"GET / HTTP/{version}\r\nHost: a\r\n\r\n");
        Assert.StartsWith(line, wire.Text, StringComparison.Ordinal);
    }
}
