// Telemetry (station 11): what is written down of each exchange and connection: access logs, counters, decision records. Recorders are
// shared by all workers and keep what they keep by worker, so that recording takes no lock and allocates nothing once warm; readers add the
// workers' parts up. Nothing here blocks a worker: a sink that can't keep up loses lines and counts them. Nothing decides anything.
// Refused: a logging framework on the request path (allocation, formatting through object), one queue entry a line.
using System.Collections.Concurrent;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Telemetry;

/// <summary>Takes whole lines from workers.</summary>
public abstract class LogSink
{
    /// <summary>Lines that were lost because the sink could not keep up or could not write.</summary>
    public abstract long Lost { get; }

    /// <summary>Takes a line (with its newline) from a worker; never waits.</summary>
    public abstract void Write(Worker worker, ReadOnlySpan<byte> line);

    /// <summary>Opens files anew (after rotation).</summary>
    public abstract void Reopen();

    /// <summary>Lets leave what workers still hold. Once, when their loops have ended.</summary>
    public virtual void End()
    {
    }
}

/// <summary>Lines in memory, for the deterministic mesh and tests.</summary>
public sealed class MemorySink : LogSink
{
    /// <summary>The lines, without newlines, in order.</summary>
    public List<string> Lines { get; } = [];

    /// <inheritdoc/>
    public override long Lost => 0;

    /// <inheritdoc/>
    public override void Write(Worker worker, ReadOnlySpan<byte> line) =>
        Lines.Add(System.Text.Encoding.UTF8.GetString(line).TrimEnd('\n'));

    /// <inheritdoc/>
    public override void Reopen()
    {
    }
}

/// <summary>
/// A file, or standard output, written by one thread of the process for all sinks. Each worker gathers lines in a buffer of its own and
/// hands it over when it is full or the interval is over; lines are never split between writes. At most <see cref="BuffersMax"/> buffers
/// wait; what comes beyond is lost and counted.
/// </summary>
public sealed class FileSink : LogSink
{
    private const int BufferBytes = 64 * 1024;

    // With little traffic a line is seen soon, whatever the interval; with much, buffers are full before.
    private const long FreshMicros = 10_000;
    private const int BuffersMax = 64;

    private readonly string _path;
    private readonly long _intervalMicros;
    private readonly FileWriter _writer;
    private readonly Gatherer?[] _gatherers;
    private FileStream? _file;
    private long _lost;
    private int _waiting;
    private volatile bool _reopen;

    /// <summary>A sink on a path; <c>/dev/stdout</c> and <c>/dev/stderr</c> are taken for what they are.</summary>
    public FileSink(string path, long intervalMicros, int workers, FileWriter writer)
    {
        _path = path;
        _intervalMicros = intervalMicros;
        _writer = writer;
        _gatherers = new Gatherer?[workers];
    }

    /// <inheritdoc/>
    public override long Lost => Interlocked.Read(ref _lost);

    /// <inheritdoc/>
    public override void Write(Worker worker, ReadOnlySpan<byte> line)
    {
        Gatherer gatherer = _gatherers[worker.Index] ??= new Gatherer(this);
        gatherer.Add(worker, line);
    }

    /// <inheritdoc/>
    public override void Reopen() => _reopen = true;

    /// <inheritdoc/>
    public override void End()
    {
        foreach (Gatherer? gatherer in _gatherers)
            gatherer?.Leave();
    }

    private void HandOver(ByteBuffer full)
    {
        if (Interlocked.Increment(ref _waiting) > BuffersMax)
        {
            Interlocked.Decrement(ref _waiting);
            Interlocked.Add(ref _lost, full.Written.Count((byte)'\n'));
            _writer.Return(full);
            return;
        }
        _writer.Post(this, full);
    }

    /// <summary>On the writer's thread.</summary>
    internal void Put(ByteBuffer buffer)
    {
        Interlocked.Decrement(ref _waiting);
        try
        {
            if (_reopen || _file is null)
                Open();
            _file!.Write(buffer.Written);
            _file.Flush();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full disk or lost rights: lines are lost and counted; the next buffer tries again.
            Interlocked.Add(ref _lost, buffer.Written.Count((byte)'\n'));
            _file?.Dispose();
            _file = null;
        }
    }

    private void Open()
    {
        _reopen = false;
        _file?.Dispose();
        _file = _path switch
        {
            "/dev/stdout" => new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(1, ownsHandle: false), FileAccess.Write, 0),
            "/dev/stderr" => new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(2, ownsHandle: false), FileAccess.Write, 0),
            _ => new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, 0),
        };
    }

    /// <summary>One worker's buffer and its deadline.</summary>
    private sealed class Gatherer(FileSink sink) : Net.Deadline
    {
        private ByteBuffer _buffer = sink._writer.Take();

        public void Add(Worker worker, ReadOnlySpan<byte> line)
        {
            if (_buffer.Length + line.Length > BufferBytes)
                Leave();
            _buffer.Append(line);
            if (!IsArmed)
                worker.Loop.Arm(this, Math.Min(sink._intervalMicros, FreshMicros));
        }

        protected internal override void OnDue(long now) => Leave();

        public void Leave()
        {
            if (_buffer.Length == 0)
                return;
            ByteBuffer full = _buffer;
            _buffer = sink._writer.Take();
            sink.HandOver(full);
        }
    }
}

/// <summary>The thread that writes log files, and the buffers that go round.</summary>
public sealed class FileWriter : IDisposable
{
    private readonly BlockingCollection<(FileSink Sink, ByteBuffer Buffer)> _queue = [];
    private readonly ConcurrentBag<ByteBuffer> _free = [];
    private readonly Thread _thread;

    /// <summary>Starts the thread.</summary>
    public FileWriter()
    {
        _thread = new Thread(Run, 128 * 1024) { IsBackground = true, Name = "log-writer" };
        _thread.Start();
    }

    internal ByteBuffer Take() => _free.TryTake(out ByteBuffer? buffer) ? buffer : new ByteBuffer(4096);

    internal void Return(ByteBuffer buffer)
    {
        buffer.Clear();
        _free.Add(buffer);
    }

    internal void Post(FileSink sink, ByteBuffer buffer) => _queue.Add((sink, buffer));

    private void Run()
    {
        foreach ((FileSink sink, ByteBuffer buffer) in _queue.GetConsumingEnumerable())
        {
            sink.Put(buffer);
            Return(buffer);
        }
    }

    /// <summary>Writes what waits, and ends the thread.</summary>
    public void Dispose()
    {
        _queue.CompleteAdding();
        _thread.Join(TimeSpan.FromSeconds(2));
        _queue.Dispose();
    }
}
