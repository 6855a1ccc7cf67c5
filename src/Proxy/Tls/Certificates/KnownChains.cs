using System.Runtime.InteropServices;

namespace Lateen.Proxy.Tls.Certificates;

/// <summary>
/// The chains that a verifier vouched for lately, found by their bytes. In a mesh the same workload connects over and over with the same
/// certificate: its path is not verified again and its names are not read again. Each chain has one place by the end of its leaf, and a
/// newcomer takes it: the table is bounded, and needs no lock between workers.
/// </summary>
internal sealed class KnownChains(int places)
{
    // A certificate of a mesh is below a kilobyte; larger ones are encoded on the heap.
    private const int RoomBytes = 2048;

    private PresentedChain?[]? _places;

    /// <summary>The chain that is known by these certificates (as <see cref="PresentedChain.Of"/> takes them), or a new one.</summary>
    public PresentedChain Find(nint leaf, nint stack)
    {
        if (leaf == 0 || Volatile.Read(ref _places) is not { } all)
            return PresentedChain.Of(leaf, stack);
        Span<byte> room = stackalloc byte[RoomBytes];
        PresentedChain? known = Volatile.Read(ref all[PlaceOf(Pem.Der(leaf, room))]);
        return known is not null && known.IsOf(leaf, stack, room) ? known : PresentedChain.Of(leaf, stack);
    }

    /// <summary>Keeps a chain. Where two workers begin the table at once, one of them keeps for nothing.</summary>
    public void Keep(PresentedChain chain)
    {
        PresentedChain?[] all = Volatile.Read(ref _places) ?? (_places = new PresentedChain?[places]);
        Volatile.Write(ref all[PlaceOf(chain.Leaf)], chain);
    }

    // A certificate ends with its signature, which is as good as a hash. Who seeks one that meets another's takes that one's place, no
    // more.
    private int PlaceOf(ReadOnlySpan<byte> der) => der.Length < 4 ? 0 : (int)(MemoryMarshal.Read<uint>(der[^4..]) % (uint)places);
}
