using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Push;
using Microsoft.Win32.SafeHandles;

namespace Lateen.ControlPlane.Grpc;

/// <summary>
/// The resources of a response that many are sent, as DATA frames in memory of the kernel, from where they leave without being copied for
/// each (memfd_create(2), sendfile(2)). Made when a second one is sent the same, never written again, and given back when nobody has sent
/// it for a moment. They are frames of the first stream of a connection, which is where a client of discovery asks.
/// </summary>
/// <remarks>The first frame has no head: its bytes are copied behind those that are a stream's own. Positions count the bytes of the
/// resources alone.</remarks>
internal sealed partial class SharedFrames
{
    /// <summary>The stream that they are frames of: the first that a client may open (RFC 9113 5.1.1).</summary>
    public const int Stream = 1;

    /// <summary>How long they stay after the last who sent them: those who read at once are given them one after another.</summary>
    public static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);

    /// <summary>What is shorter is copied for each.</summary>
    public const int LengthMin = 64 << 10;

    private const int FrameBytes = Http2Frames.HeadBytes + Http2Frames.PayloadMax, BufferBytes = 64 << 10;

    // MFD_CLOEXEC of memfd_create(2).
    private const uint CloseOnExec = 1;

    // By the list of resources, which is one object for all who are sent the same, and never changes.
    private static readonly ConditionalWeakTable<IReadOnlyList<WireResource>, Known> Lists = [];
    private readonly Known _known;
    private readonly ITimer _end;
    private int _users;

    /// <summary>What is known of a list.</summary>
    private sealed class Known
    {
        public Lock Gate { get; } = new();

        public bool WasSent { get; set; }

        public SharedFrames? Frames { get; set; }
    }

    private SharedFrames(Known known, FileStream file, int length, TimeProvider time)
    {
        (_known, File, Length) = (known, file, length);
        _end = time.CreateTimer(_ => End(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Where they are.</summary>
    public FileStream File { get; }

    /// <summary>Bytes of the resources.</summary>
    public int Length { get; }

    /// <summary>The frames for a response, to be left when it has been sent. Null for the first who is sent it, and where the kernel has
    /// no such memory.</summary>
    /// <param name="response">The response.</param>
    /// <param name="length">Bytes of its resources.</param>
    /// <param name="time">Tells when nobody wants them any longer.</param>
    public static SharedFrames? Enter(AdsResponse response, int length, TimeProvider time)
    {
        Known known = Lists.GetValue(response.Resources, static _ => new Known());
        lock (known.Gate)
        {
            if (known.Frames is null && known.WasSent) known.Frames = Make(known, response, length, time);
            known.WasSent = true;
            if (known.Frames is not null) known.Frames._users++;
            return known.Frames;
        }
    }

    /// <summary>The response has been sent, or never will be.</summary>
    public void Leave()
    {
        lock (_known.Gate)
        {
            if (--_users == 0) _end.Change(Linger, Timeout.InfiniteTimeSpan);
        }
    }

    private void End()
    {
        lock (_known.Gate)
        {
            // Somebody came meanwhile; who leaves last sets the time anew.
            if (_users > 0 || !ReferenceEquals(_known.Frames, this)) return;
            _known.Frames = null;
        }
        _end.Dispose();
        File.Dispose();
    }

    /// <summary>Whether a frame with a head begins here.</summary>
    public static bool IsBegin(int at) => at > 0 && at % Http2Frames.PayloadMax == 0;

    /// <summary>How many bytes lie in full frames from the next one on.</summary>
    public int WholeAt(int at) => Math.Max(0, (Length / Http2Frames.PayloadMax * Http2Frames.PayloadMax)
        - Math.Max(Http2Frames.PayloadMax, (at + Http2Frames.PayloadMax - 1) / Http2Frames.PayloadMax * Http2Frames.PayloadMax));

    /// <summary>Where a frame with a head is in the file, by its first byte of resources.</summary>
    public static long OffsetOf(int begin) => begin + (((begin / Http2Frames.PayloadMax) - 1L) * Http2Frames.HeadBytes);

    /// <summary>How many bytes of the file so many full frames are.</summary>
    public static int Framed(int bytes) => bytes / Http2Frames.PayloadMax * FrameBytes;

    /// <summary>Reads bytes of resources, to the end of the frame at most.</summary>
    public int Read(int at, Span<byte> to)
    {
        int frame = at / Http2Frames.PayloadMax;
        int length = Math.Min(to.Length, Math.Min(Http2Frames.PayloadMax - (at % Http2Frames.PayloadMax), Length - at));
        return RandomAccess.Read(File.SafeFileHandle, to[..length], at + ((long)frame * Http2Frames.HeadBytes));
    }

    private static SharedFrames? Make(Known known, AdsResponse response, int length, TimeProvider time)
    {
        if (Open() is not { } file) return null;
        Span<byte> head = stackalloc byte[Http2Frames.HeadBytes];
        int at = 0;
        foreach (WireResource resource in response.Resources)
        {
            for (int index = 0; index < resource.PartCount; index++)
            {
                for (ReadOnlySpan<byte> part = resource.EntryPart(index); !part.IsEmpty;)
                {
                    int inside = at % Http2Frames.PayloadMax;
                    if (inside == 0 && at > 0)
                    {
                        Http2Frames.WriteHead(head, Http2FrameType.Data, 0, Stream, Math.Min(Http2Frames.PayloadMax, length - at));
                        file.Write(head);
                    }
                    int now = Math.Min(part.Length, Http2Frames.PayloadMax - inside);
                    file.Write(part[..now]);
                    part = part[now..];
                    at += now;
                }
            }
        }
        file.Flush();
        return new SharedFrames(known, file, length, time);
    }

    // Opened by a name, since sockets take files alone that say of themselves that they do not block.
    private static FileStream? Open()
    {
        if (!OperatingSystem.IsLinux()) return null;
        using var unnamed = new SafeFileHandle(Create("discovery", CloseOnExec), ownsHandle: true);
        if (unnamed.IsInvalid) return null;
        try
        {
            return new FileStream($"/proc/self/fd/{unnamed.DangerousGetHandle()}", FileMode.Open, FileAccess.ReadWrite,
                FileShare.ReadWrite, BufferBytes, FileOptions.Asynchronous);
        }
        catch (Exception none) when (none is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Create(string name, uint flags);
}
