using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lateen.Proxy.Filters.Lua;

/// <summary>What a script may use.</summary>
/// <param name="Instructions">Instructions of the virtual machine for one request or one response, waiting not counted; also for the
/// script's loading.</param>
/// <param name="MemoryBytes">Memory of one script on one worker, its globals and all requests that it is at.</param>
/// <param name="CallBytesMax">The largest answer of an <c>httpCall</c>.</param>
public sealed record LuaBounds(long Instructions = 20_000_000, long MemoryBytes = 64 << 20, int CallBytesMax = 4 << 20);

/// <summary>The account of one machine. Lies in native memory, since Lua's allocator and hook are given its address.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LuaBudget
{
    // How many instructions pass between two looks at the account.
    private const int Step = 10_000;

    public long Used, Limit, Instructions;

    /// <summary>Not 0 while the script itself runs: then memory ends at the limit, with Lua's own error. Our callbacks may not fail
    /// half-way.</summary>
    public int Enforced;

    public static LuaBudget* New(LuaBounds bounds)
    {
        var budget = (LuaBudget*)NativeMemory.AllocZeroed((nuint)sizeof(LuaBudget));
        budget->Limit = bounds.MemoryBytes;
        budget->Instructions = bounds.Instructions;
        return budget;
    }

    public static void Watch(nint state) =>
        LuaNative.lua_sethook(state, (nint)(delegate* unmanaged[Cdecl]<nint, nint, void>)&OnCount, LuaNative.CountMask, Step);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Allocate(nint owner, nint block, nuint before, nuint size)
    {
        var budget = (LuaBudget*)owner;
        // Without a block, "before" tells what kind of object it will be.
        long old = block == 0 ? 0 : (long)before;
        if (size == 0)
        {
            NativeMemory.Free((void*)block);
            budget->Used -= old;
            return 0;
        }
        long grown = budget->Used + (long)size - old;
        if (grown > budget->Limit && (long)size > old && budget->Enforced != 0)
            return 0;
        budget->Used = grown;
        return (nint)NativeMemory.Realloc((void*)block, size);
    }

    // The account is empty: from now on each instruction of this thread raises an error, so that no pcall of the script outlives it.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnCount(nint state, nint record)
    {
        nint owner;
        LuaNative.lua_getallocf(state, &owner);
        var budget = (LuaBudget*)owner;
        budget->Instructions -= Step;
        if (budget->Instructions <= 0)
            LuaNative.lua_sethook(state, LuaNative.RaiseError, LuaNative.CountMask, 1);
    }
}
