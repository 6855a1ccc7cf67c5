// Epoll: the ground under a real proxy: one edge-triggered epoll set a worker, non-blocking sockets, one receive buffer a loop. A
// descriptor is registered once for everything and never changed: readiness is remembered, so that pausing costs no system call. Output of
// a turn is gathered a transport and leaves in one call when the turn ends. The loop owns every object here; nothing is shared but the
// mailbox's head.
// System calls are plain LibraryImport with blittable arguments. SetLastError would cost 7-10 ns a call: errno is read only after a failed
// call, which the runtime's return path preserves. SuppressGCTransition is refused: measured, it lengthens GC pauses 2.5 to 4 times and
// wins nothing.
// Refused: io_uring (measured gain 0-3 % at up to 64 connections; it can follow behind Transport), level triggering (an epoll_ctl for each
// pause and each blocked write).
using System.Runtime.InteropServices;

namespace Lateen.Proxy.Net.Epoll;

/// <summary>Linux, as far as the loop needs it.</summary>
internal static unsafe partial class Sys
{
    public const int AfUnix = 1, AfInet = 2, AfInet6 = 10;
    public const int SockStream = 1, SockDatagram = 2, SockSequence = 5, NonBlock = 0x800, CloseOnExec = 0x80000;
    public const int SolSocket = 1, SolIp = 0, SolIpv6 = 41, SolTcp = 6;
    public const int ReuseAddr = 2, SoError = 4, SoKeepAlive = 9, SoLinger = 13, SoReusePort = 15, SoPeerCredentials = 17, SoMark = 36,
        ScmRights = 1;
    public const int TcpNoDelay = 1, TcpKeepIdle = 4, TcpKeepInterval = 5, TcpKeepCount = 6, TcpFastOpen = 23;
    public const int IpFreeBind = 15, IpTransparent = 19, Ipv6V6Only = 26, Ipv6Transparent = 75, Ipv6FreeBind = 78,
        OriginalDestination = 80;
    public const int MsgNoSignal = 0x4000, CloseOnExecMessage = 0x40000000;
    public const int ShutWrite = 1;
    public const int SetFlags = 4, DuplicateCloseOnExec = 1030;
    public const int EpollAdd = 1, EpollDelete = 2;
    public const uint In = 1, Out = 4, Error = 8, HangUp = 0x10, ReadHangUp = 0x2000, EdgeTriggered = 1u << 31;
    public const int ENoEntry = 2, EIntr = 4, EAgain = 11, ENoMem = 12, EAcces = 13, EPerm = 1, ENFile = 23, EMFile = 24, EPipe = 32,
        EAddrInUse = 98, EAddrNotAvail = 99,
        ENetUnreach = 101, EConnAborted = 103, EConnReset = 104, ENoBufs = 105, ETimedOut = 110, EConnRefused = 111, EHostUnreach = 113,
        EInProgress = 115;

    private const string C = "libc";

    /// <summary>The kernel packs epoll_event on x86-64 only (12 bytes, the cookie at 4); elsewhere it is aligned (16 bytes, the cookie at
    /// 8).</summary>
    public static readonly int EventSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    /// <summary>Where the cookie stands in an epoll_event.</summary>
    public static readonly int CookieOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;

    // libc's own send and recv are points at which a thread can be cancelled, and say so with a locked instruction before and behind the
    // call. Nobody cancels a worker. The numbers of sendto and recvfrom: x86-64 has its own, all later architectures share a table.
    private static readonly nint SendNumber = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 44 : 206,
        ReceiveNumber = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 45 : 207;

    /// <summary>The error of the call that has just failed.</summary>
    public static int Errno => Marshal.GetLastSystemError();

    [LibraryImport(C, EntryPoint = "socket")]
    public static partial int Socket(int domain, int type, int protocol);

    [LibraryImport(C, EntryPoint = "setsockopt")]
    public static partial int SetOption(int fd, int level, int option, void* value, int length);

    [LibraryImport(C, EntryPoint = "getsockopt")]
    public static partial int GetOption(int fd, int level, int option, void* value, int* length);

    [LibraryImport(C, EntryPoint = "bind")]
    public static partial int Bind(int fd, void* address, int length);

    [LibraryImport(C, EntryPoint = "listen")]
    public static partial int Listen(int fd, int backlog);

    [LibraryImport(C, EntryPoint = "accept4")]
    public static partial int Accept(int fd, void* address, int* length, int flags);

    [LibraryImport(C, EntryPoint = "connect")]
    public static partial int Connect(int fd, void* address, int length);

    [LibraryImport(C, EntryPoint = "getsockname")]
    public static partial int GetSocketName(int fd, void* address, int* length);

    [LibraryImport(C, EntryPoint = "shutdown")]
    public static partial int Shutdown(int fd, int how);

    [LibraryImport(C, EntryPoint = "close")]
    public static partial int Close(int fd);

    public static nint Receive(int fd, byte* buffer, nint length, int flags) => Call(ReceiveNumber, fd, buffer, length, flags, null, 0);

    public static nint Send(int fd, byte* buffer, nint length, int flags) => Call(SendNumber, fd, buffer, length, flags, null, 0);

    [LibraryImport(C, EntryPoint = "syscall")]
    private static partial nint Call(nint number, nint fd, byte* buffer, nint length, nint flags, void* address, nint addressLength);

    [LibraryImport(C, EntryPoint = "sendmsg")]
    public static partial nint SendMessage(int fd, MessageHeader* message, int flags);

    [LibraryImport(C, EntryPoint = "recvmsg")]
    public static partial nint ReceiveMessage(int fd, MessageHeader* message, int flags);

    [LibraryImport(C, EntryPoint = "geteuid")]
    public static partial uint EffectiveUser();

    [LibraryImport(C, EntryPoint = "recvfrom")]
    public static partial nint ReceiveFrom(int fd, byte* buffer, nint length, int flags, void* address, int* addressLength);

    [LibraryImport(C, EntryPoint = "sendto")]
    public static partial nint SendTo(int fd, byte* buffer, nint length, int flags, void* address, int addressLength);

    [LibraryImport(C, EntryPoint = "epoll_create1")]
    public static partial int EpollCreate(int flags);

    [LibraryImport(C, EntryPoint = "epoll_ctl")]
    public static partial int EpollControl(int epoll, int operation, int fd, byte* epollEvent);

    [LibraryImport(C, EntryPoint = "epoll_wait")]
    public static partial int EpollWait(int epoll, byte* events, int count, int timeout);

    [LibraryImport(C, EntryPoint = "eventfd")]
    public static partial int EventFd(uint initial, int flags);

    /// <summary>Only for F_SETFL with flags.</summary>
    [LibraryImport(C, EntryPoint = "fcntl")]
    public static partial int FileControl(int fd, int command, int argument);

    [LibraryImport(C, EntryPoint = "read")]
    public static partial nint Read(int fd, void* buffer, nint length);

    [LibraryImport(C, EntryPoint = "write")]
    public static partial nint Write(int fd, void* buffer, nint length);

    [LibraryImport(C, EntryPoint = "chmod", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ChangeMode(string path, uint mode);

    [LibraryImport(C, EntryPoint = "unlink", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Unlink(string path);

    /// <summary>struct iovec.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Vector
    {
        public byte* Start;
        public nint Length;
    }

    /// <summary>struct msghdr, 64 bit.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct MessageHeader
    {
        public void* Name;
        public int NameLength;
        public Vector* Vectors;
        public nint VectorCount;
        public void* Control;
        public nint ControlLength;
        public int Flags;
    }
}
