using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lateen.Cli.Processes;

/// <summary>
/// Everything a child needs between fork and exec, laid out in unmanaged memory beforehand. After fork the child has one thread and a copy
/// of a heap that another thread may have held locked, so it must not allocate, throw, or enter the runtime: it makes system calls through
/// addresses resolved here and either becomes the program or writes the kernel's reason into a pipe and leaves. The parent reads that pipe
/// (closed by exec), so it knows; a child that stays silent is ended and made once more.
/// </summary>
internal sealed unsafe class ExecImage : IDisposable
{
    private const int SetDeathSignal = 1, SetSignalMask = 2, TryAgain = 11, CloneNewNetwork = 0x40000000, CloneNewUser = 0x10000000;
    private static readonly Lock Rehearsing = new();
    private static bool s_rehearsed;
    private readonly List<nint> _memory = [];
    private Calls* _calls;

    // Addresses of the C library's functions, and the arguments.
    private struct Calls
    {
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<int> Fork;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<int, void*, void*, int> Mask;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<int, void*, void*, int> Action;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<int, nint, nint, nint, nint, int> Control;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<int> Parent;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<int> OwnSession;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<int, int, int> EnterNamespace;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<uint, uint, uint, int> Groups;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<byte*, int> ChangeFolder;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<int, int, int> Duplicate;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<byte*, byte**, byte**, int> Execute;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<int, void*, nint, nint> Write;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<int*> Errno;
        public delegate* unmanaged[Cdecl, SuppressGCTransition]<int, void> Exit;
        public byte* Path;
        public byte** Arguments;
        public byte** Environment;
        public byte* Folder;
        public void* AllSignals;
        public void* NoSignals;
        public void* OldSignals;
        public void* DefaultAction;
        public int Input, Output, Report, Users, Network, ParentId, DeathSignal;
        public uint Group;
        public int OwnGroup;
    }

    public ExecImage(string path, ProcessSpec spec, int input, int output)
    {
        _calls = (Calls*)Allocate(sizeof(Calls));
        Resolve();
        Rehearse();
        _calls->Path = Text(path);
        _calls->Arguments = Texts([spec.Program, .. spec.Arguments]);
        _calls->Environment = Texts(EnvironmentOf(spec));
        _calls->Folder = spec.Folder is null ? null : Text(spec.Folder);
        _calls->AllSignals = Allocate(128);
        new Span<byte>(_calls->AllSignals, 128).Fill(0xff);
        _calls->NoSignals = Allocate(128);
        _calls->OldSignals = Allocate(128);
        _calls->DefaultAction = Allocate(256);
        (_calls->Input, _calls->Output, _calls->Users, _calls->Network) = (input, output, spec.Users ?? -1, spec.Network ?? -1);
        (_calls->ParentId, _calls->DeathSignal) = (Environment.ProcessId, spec.DeathSignal);
        (_calls->Group, _calls->OwnGroup) = (spec.Group ?? uint.MaxValue, spec.KeepsTerminal ? 0 : 1);
    }

    /// <summary>Makes the child; returns its number once it has become the program.</summary>
    public int Fork(int confirmWithinMs)
    {
        int* ends = stackalloc int[2];
        for (int attempt = 0; ; attempt++)
        {
            Posix.Check(Posix.pipe2(ends, Posix.CloseOnExec), "pipe2");
            _calls->Report = ends[1];
            int id = ForkAndExecute(_calls);
            int forkError = Marshal.GetLastSystemError();
            _ = Posix.close(ends[1]);
            int errno = id < 0 ? forkError : Answer(ends[0], confirmWithinMs);
            _ = Posix.close(ends[0]);
            if (errno == 0) return id;
            if (id < 0) throw new PosixException(errno, "fork");
            if (errno < 0) _ = Posix.kill(id, Posix.SignalKill);
            int status;
            _ = Posix.waitpid(id, &status, 0);
            if (errno > 0 || attempt == 2)
                throw new PosixException(errno > 0 ? errno : TryAgain, Marshal.PtrToStringUTF8((nint)_calls->Path)!);
        }
    }

    // 0: it runs; above 0: the kernel's reason; below 0: silence.
    private static int Answer(int fd, int withinMs)
    {
        var wait = new Posix.PollDescriptor { Fd = fd, Events = Posix.Readable };
        if (Posix.poll(&wait, 1, withinMs) <= 0) return -1;
        int errno = 0;
        return Posix.read(fd, &errno, sizeof(int)) == sizeof(int) ? errno : 0;
    }

    // Compiled ahead and in full, so that no call in it has to be resolved inside the child.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static int ForkAndExecute(Calls* c)
    {
        // A handler of the runtime must not run in the child: it would write into the parent's signal pipe.
        c->Mask(SetSignalMask, c->AllSignals, c->OldSignals);
        int id = c->Fork();
        if (id != 0)
        {
            c->Mask(SetSignalMask, c->OldSignals, null);
            return id;
        }
        for (int signal = 1; signal < 65; signal++) c->Action(signal, c->DefaultAction, null);
        bool good = c->OwnGroup == 0 || c->OwnSession() >= 0;
        good = good && (c->Users < 0 || c->EnterNamespace(c->Users, CloneNewUser) == 0);
        good = good && (c->Network < 0 || c->EnterNamespace(c->Network, CloneNewNetwork) == 0);
        good = good && (c->Group == uint.MaxValue || c->Groups(c->Group, c->Group, c->Group) == 0);
        good = good && (c->Folder == null || c->ChangeFolder(c->Folder) == 0);
        good = good && (c->Input < 0 || c->Duplicate(c->Input, 0) == 0);
        good = good && (c->Output < 0 || (c->Duplicate(c->Output, 1) == 1 && c->Duplicate(c->Output, 2) == 2));
        // Last, because a change of credentials clears it; and then a look whether the parent has gone in the meantime.
        good = good && c->Control(SetDeathSignal, c->DeathSignal, 0, 0, 0) == 0;
        if (good && c->Parent() == c->ParentId)
        {
            c->Mask(SetSignalMask, c->NoSignals, null);
            c->Execute(c->Path, c->Arguments, c->Environment);
        }
        int errno = *c->Errno();
        c->Write(c->Report, &errno, sizeof(int));
        c->Exit(127);
        return 0;
    }

    // The runtime makes the code of a call to an address when it is first made, and it keeps code in memory that parent and child share: a
    // child that made some would spoil its parent's. So the way through the child is gone once beforehand, with calls that do nothing.
    private void Rehearse()
    {
        lock (Rehearsing)
        {
            if (s_rehearsed) return;
            Calls real = *_calls;
            void* nothing = (void*)NativeLibrary.GetExport(NativeLibrary.Load("libc.so.6"), "sched_yield"); // no arguments, gives 0
            var addresses = (void**)_calls;
            for (void** at = addresses; at <= (void**)&_calls->Exit; at++) *at = nothing;
            _calls->Errno = real.Errno;
            _calls->Path = _calls->Folder = (byte*)_calls;
            (_calls->OwnGroup, _calls->Output) = (1, -1);
            ForkAndExecute(_calls);
            _calls->Output = 1;
            ForkAndExecute(_calls);
            *_calls = real;
            s_rehearsed = true;
        }
    }

    private void Resolve()
    {
        nint libc = NativeLibrary.Load("libc.so.6");
        nint Of(string name) => NativeLibrary.GetExport(libc, name);
        _calls->Fork = (delegate* unmanaged[Cdecl, SuppressGCTransition]<int>)Of("fork");
        _calls->Mask = (delegate* unmanaged[Cdecl, SuppressGCTransition]<int, void*, void*, int>)Of("pthread_sigmask");
        _calls->Action = (delegate* unmanaged[Cdecl, SuppressGCTransition]<int, void*, void*, int>)Of("sigaction");
        _calls->Control = (delegate* unmanaged[Cdecl, SuppressGCTransition]<int, nint, nint, nint, nint, int>)Of("prctl");
        _calls->Parent = (delegate* unmanaged[Cdecl, SuppressGCTransition]<int>)Of("getppid");
        _calls->OwnSession = (delegate* unmanaged[Cdecl, SuppressGCTransition]<int>)Of("setsid");
        _calls->EnterNamespace = (delegate* unmanaged[Cdecl, SuppressGCTransition]<int, int, int>)Of("setns");
        _calls->Groups = (delegate* unmanaged[Cdecl, SuppressGCTransition]<uint, uint, uint, int>)Of("setresgid");
        _calls->ChangeFolder = (delegate* unmanaged[Cdecl, SuppressGCTransition]<byte*, int>)Of("chdir");
        _calls->Duplicate = (delegate* unmanaged[Cdecl, SuppressGCTransition]<int, int, int>)Of("dup2");
        _calls->Execute = (delegate* unmanaged[Cdecl, SuppressGCTransition]<byte*, byte**, byte**, int>)Of("execve");
        _calls->Write = (delegate* unmanaged[Cdecl, SuppressGCTransition]<int, void*, nint, nint>)Of("write");
        _calls->Errno = (delegate* unmanaged[Cdecl, SuppressGCTransition]<int*>)Of("__errno_location");
        _calls->Exit = (delegate* unmanaged[Cdecl, SuppressGCTransition]<int, void>)Of("_exit");
    }

    private static IEnumerable<string> EnvironmentOf(ProcessSpec spec)
    {
        if (spec.Environment is not null) return spec.Environment.Select(pair => $"{pair.Key}={pair.Value}");
        return Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>().Select(pair => $"{pair.Key}={pair.Value}");
    }

    private byte** Texts(IEnumerable<string> texts)
    {
        string[] all = texts.ToArray();
        var list = (byte**)Allocate((all.Length + 1) * sizeof(byte*));
        for (int i = 0; i < all.Length; i++) list[i] = Text(all[i]);
        return list;
    }

    private byte* Text(string text)
    {
        nint copy = Marshal.StringToCoTaskMemUTF8(text);
        _memory.Add(copy);
        return (byte*)copy;
    }

    private void* Allocate(int bytes)
    {
        nint memory = Marshal.AllocCoTaskMem(bytes);
        new Span<byte>((void*)memory, bytes).Clear();
        _memory.Add(memory);
        return (void*)memory;
    }

    public void Dispose()
    {
        foreach (nint memory in _memory) Marshal.FreeCoTaskMem(memory);
        _memory.Clear();
        _calls = null;
    }
}
