using System.Buffers;
using System.IO.Pipelines;

namespace Lateen.Config.Sources.Kubernetes.Watching;

/// <summary>The lines of one watch.</summary>
/// <remarks>What comes after a quiet time is read at once. Of a hundred events a second those of a few hundredths of a second are read
/// together, so that they are one change: to wake up for each takes more of a processor than to read it, and proxies are told later in any
/// case.</remarks>
public sealed class WatchStream(HttpResponseMessage answer, Stream body, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(40);

    // The API server refuses objects above 3 MiB (etcd's are at most 1.5); beyond that it is no watch.
    private const int LineBytesMax = 16 << 20;
    private readonly PipeReader _lines = PipeReader.Create(body);
    private DateTimeOffset _restUntil;

    /// <summary>The next event; no value and no failure when the server ended the watch, as it does after the time it was given.</summary>
    public async Task<ApiResult<WatchEvent>> NextAsync(CancellationToken cancel)
    {
        try
        {
            while (true)
            {
                var read = await ReadAsync(cancel).ConfigureAwait(false);
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

    // What is here already is given at once, however much it is.
    private async ValueTask<ReadResult> ReadAsync(CancellationToken cancel)
    {
        var reading = _lines.ReadAsync(cancel);
        if (reading.IsCompleted) return await reading.ConfigureAwait(false);
        var arriving = reading.AsTask();
        var rest = _restUntil - time.GetUtcNow();
        if (rest > TimeSpan.Zero) await Task.Delay(rest, time, cancel).ConfigureAwait(false);
        var read = await arriving.ConfigureAwait(false);
        _restUntil = time.GetUtcNow() + Rest;
        return read;
    }

    private static (ReadOnlySequence<byte>? Line, SequencePosition After) Split(ReadOnlySequence<byte> buffer)
    {
        var end = buffer.PositionOf((byte)'\n');
        return end is { } at ? (buffer.Slice(0, at), buffer.GetPosition(1, at)) : (null, buffer.Start);
    }
}
