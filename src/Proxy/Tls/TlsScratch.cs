using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lateen.Proxy.Tls;

/// <summary>
/// The work space of one call into libssl on this thread: ciphertext that came, ciphertext to go, decrypted bytes. The BIO's functions find
/// it as the thread's current one. Calls may nest (TLS inside TLS), so there is one for each depth; they are kept for the thread's life.
/// </summary>
internal sealed unsafe class TlsScratch
{
    /// <summary>Room for four whole records.</summary>
    public const int PlainBytes = 64 * 1024;

    /// <summary>The most plaintext of one record: with this much room a record is never read in parts.</summary>
    public const int RecordMax = 16 * 1024;

    // BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY, and all retry flags.
    private const int RetryRead = 9, RetryAny = 15, ControlFlush = 11;

    [ThreadStatic]
    private static TlsScratch? t_current;

    [ThreadStatic]
    private static TlsScratch? t_spare;

    private TlsScratch? _below;
    private int _capacity = 32 * 1024;

    /// <summary>Decrypted bytes.</summary>
    public readonly byte* Plain = (byte*)NativeMemory.Alloc(PlainBytes);

    /// <summary>Ciphertext to be sent.</summary>
    public byte* Cipher = (byte*)NativeMemory.Alloc(32 * 1024);

    /// <summary>How much of it there is.</summary>
    public int CipherLength;

    /// <summary>Ciphertext that came.</summary>
    public byte* Input;

    /// <summary>How much of it there is, and how much libssl has taken.</summary>
    public int InputLength, InputTaken;

    /// <summary>Whose call it is.</summary>
    public TlsTransport Owner = null!;

    /// <summary>The innermost call of this thread.</summary>
    public static TlsScratch? Current => t_current;

    /// <summary>BIO_METHOD of ours.</summary>
    public static nint Method { get; } = CreateMethod();

    public ReadOnlySpan<byte> Output => new(Cipher, CipherLength);

    /// <summary>Begins a call.</summary>
    public static TlsScratch Enter(TlsTransport owner)
    {
        TlsScratch scratch = t_spare ?? new TlsScratch();
        t_spare = scratch._below;
        scratch._below = t_current;
        scratch.Owner = owner;
        scratch.Input = null;
        scratch.InputLength = scratch.InputTaken = scratch.CipherLength = 0;
        return t_current = scratch;
    }

    /// <summary>Ends the call.</summary>
    public void Leave()
    {
        t_current = _below;
        _below = t_spare;
        t_spare = this;
        Owner = null!;
    }

    private static nint CreateMethod()
    {
        // BIO_TYPE_SOURCE_SINK with a number of our own.
        nint method = OpenSsl.BIO_meth_new(0x400 | 100, "turn");
        OpenSsl.BIO_meth_set_read(method, &Read);
        OpenSsl.BIO_meth_set_write(method, &Write);
        OpenSsl.BIO_meth_set_ctrl(method, &Control);
        return method;
    }

    [UnmanagedCallersOnly]
    private static int Read(nint bio, byte* buffer, int length)
    {
        TlsScratch scratch = t_current!;
        OpenSsl.BIO_clear_flags(bio, RetryAny);
        int count = Math.Min(length, scratch.InputLength - scratch.InputTaken);
        if (count == 0)
        {
            OpenSsl.BIO_set_flags(bio, RetryRead);
            return -1;
        }
        Unsafe.CopyBlockUnaligned(buffer, scratch.Input + scratch.InputTaken, (uint)count);
        scratch.InputTaken += count;
        return count;
    }

    [UnmanagedCallersOnly]
    private static int Write(nint bio, byte* buffer, int length)
    {
        TlsScratch scratch = t_current!;
        OpenSsl.BIO_clear_flags(bio, RetryAny);
        if (scratch.CipherLength + length > scratch._capacity)
        {
            scratch._capacity = Math.Max(scratch._capacity * 2, scratch.CipherLength + length);
            scratch.Cipher = (byte*)NativeMemory.Realloc(scratch.Cipher, (nuint)scratch._capacity);
        }
        Unsafe.CopyBlockUnaligned(scratch.Cipher + scratch.CipherLength, buffer, (uint)length);
        scratch.CipherLength += length;
        return length;
    }

    [UnmanagedCallersOnly]
    private static long Control(nint bio, int command, long number, nint pointer) => command == ControlFlush ? 1 : 0;
}
