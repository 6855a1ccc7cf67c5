using System.Buffers;
using System.IO.Pipelines;

namespace Lateen.Config.Sources.Kubernetes.Watching;

/// <summary>The lines of one watch.</summary>
public sealed class WatchStream(HttpResponseMessage answer, Stream body) : IDisposable
{
    // The API server refuses objects above 3 MiB (etcd's are at most 1.5); beyond that it is no watch.
    private const int LineBytesMax = 16 << 20;
    private readonly PipeReader _lines = PipeReader.Create(body);

    /// <summary>The next event; no value and no failure when the server ended the watch, as it does after the time it was given.</summary>
    public async Task<ApiResult<WatchEvent>> NextAsync(CancellationToken cancel)
    {
        try
        {
            while (true)
            {
                var read = await _lines.ReadAsync(cancel).ConfigureAwait(false);
                var (line, rest) = Split(read.Buffer);
                if (line is not null)
                {
                    var said = WatchEvent.Of(line.Value.ToArray());
                    _lines.AdvanceTo(rest);
                    if (said is not null) return said;
                    continue;
                }

                if (read.IsCompleted) return default;
                if (read.Buffer.Length > LineBytesMax)
                    return new ApiFailure(0, "", $"an event of the watch is larger than {LineBytesMax} bytes");
                _lines.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            }
        }
        catch (Exception e) when (ApiClient.IsOfThePeer(e, cancel))
        {
            return ApiClient.Unreached(e);
        }
    }

    public void Dispose()
    {
        _lines.Complete();
        answer.Dispose();
    }

    private static (ReadOnlySequence<byte>? Line, SequencePosition After) Split(ReadOnlySequence<byte> buffer)
    {
        var end = buffer.PositionOf((byte)'\n');
        return end is { } at ? (buffer.Slice(0, at), buffer.GetPosition(1, at)) : (null, buffer.Start);
    }
}
