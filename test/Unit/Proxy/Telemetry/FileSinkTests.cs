using Lateen.Proxy;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Telemetry;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Telemetry;

public sealed class FileSinkTests
{
    [Fact]
    public void Lines_that_a_worker_holds_when_it_ends_are_written()
    {
        string path = Path.Combine(Path.GetTempPath(), $"lateen-{Guid.NewGuid():N}.log");
        try
        {
            var worker = new Worker(0, new MemoryNetwork(1).AddHost("worker", Address.V4(2, 0)).AddLoop());
            using (var writer = new FileWriter())
            {
                var sink = new FileSink(path, 10_000_000, workers: 2, writer);
                sink.Write(worker, "the last request\n"u8);
                sink.End();
            }
            Assert.Equal(["the last request"], File.ReadAllLines(path));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
