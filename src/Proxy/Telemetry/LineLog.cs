using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Telemetry;

/// <summary>A log of lines in a file: text by a format, or JSON.</summary>
public sealed class LineLog(TextFormat? text, JsonFormat?[]? json, LogFilter? filter, LogSink sink, bool omitEmpty, int workers)
    : AccessLog(filter)
{
    private readonly ByteBuffer?[] _lines = new ByteBuffer?[workers];

    /// <summary>Where the lines go.</summary>
    public LogSink Sink => sink;

    /// <inheritdoc/>
    protected override void Record(Worker worker, IStreamFacts facts)
    {
        ByteBuffer line = _lines[worker.Index] ??= new ByteBuffer(512);
        line.Clear();
        if (text is not null)
        {
            text.WriteLine(facts, line, omitEmpty);
        }
        else
        {
            json![worker.Index]!.Write(facts, line);
            line.Append((byte)'\n');
        }
        sink.Write(worker, line.Written);
    }
}
