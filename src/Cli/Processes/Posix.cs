// Processes: how `lateen up` and `lateen run` start programs, look after them, and make sure that none outlives its starter.
//
// A child is made by fork and exec, because four things must happen between the two and no class of .NET does them: the child enters a
// network namespace, asks the kernel to end it with its parent (PR_SET_PDEATHSIG), looks whether that parent is still there (else the
// request came too late), and takes a group of its own. `Spawner` owns the one thread that forks; the kernel ties the death signal to that
// thread, so it lives as long as the process. Nothing here knows what a sidecar is.
//
// Refused: a small wrapper program started first (it costs a runtime's start for each child), and util-linux's setpriv and nsenter (not
// on every machine, and they leave a gap between fork and the death signal).
using System.Runtime.InteropServices;

namespace Lateen.Cli.Processes;

/// <summary>The calls to the C library that starting and ending processes needs.</summary>
internal static unsafe partial class Posix
{
    public const int SignalHangup = 1, SignalInterrupt = 2, SignalKill = 9, SignalTerminate = 15;
    public const int NoEntry = 2, PermissionDenied = 13, NoSuchProcess = 3, NotADirectory = 20, NotExecutable = 8, Interrupted = 4;
    private const int CloneNewNetwork = 0x40000000, CloneNewUser = 0x10000000;

    [LibraryImport("libc", SetLastError = true)]
    public static partial int kill(int pid, int signal);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int waitpid(int pid, int* status, int options);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int unshare(int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int setns(int fd, int type);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int open(string path, int flags, int mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int access(string path, int mode);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int close(int fd);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int pipe2(int* ends, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint read(int fd, void* buffer, nint count);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint write(int fd, void* buffer, nint count);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int poll(PollDescriptor* descriptors, nuint count, int timeoutMs);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int prctl(int option, nint argument, nint third, nint fourth, nint fifth);

    [LibraryImport("libc")]
    public static partial uint geteuid();

    [LibraryImport("libc")]
    public static partial uint getegid();

    public struct PollDescriptor
    {
        public int Fd;
        public short Events;
        public short Returned;
    }

    public const int ReadOnly = 0, WriteOnly = 1, Create = 0x40, Append = 0x400, CloseOnExec = 0x80000;
    public const int Executable = 1, SetDeathSignal = 1;
    public const short Readable = 1;

    /// <summary>Leaves the calling thread in a new, empty network namespace.</summary>
    public static void EnterNewNetwork() => Check(unshare(CloneNewNetwork), "unshare(CLONE_NEWNET)");

    /// <summary>Moves the calling thread into the network namespace behind <paramref name="fd"/>.</summary>
    public static void EnterNetwork(int fd) => Check(setns(fd, CloneNewNetwork), "setns");

    /// <summary>Opens a file that no child inherits.</summary>
    public static int Open(string path, int flags)
    {
        int fd = open(path, flags | CloseOnExec, 0x1B4 /* 0664 */);
        return fd >= 0 ? fd : throw new PosixException(Marshal.GetLastPInvokeError(), path);
    }

    public static void Check(int result, string call)
    {
        if (result < 0) throw new PosixException(Marshal.GetLastPInvokeError(), call);
    }
}

/// <summary>The kernel said no.</summary>
/// <param name="errno">Its number for the reason.</param>
/// <param name="call">What was asked for.</param>
public sealed class PosixException(int errno, string call) : IOException($"{call}: {Marshal.GetPInvokeErrorMessage(errno)}")
{
    /// <summary>The kernel's number for the reason.</summary>
    public int Errno { get; } = errno;
}
