// Fuzz: whatever a peer or an operator sends to the proxy's parsers, nothing breaks. A target is one parser; a campaign gives it inputs
// made from its corpus, its structure and chance, and plays each input twice: whole, and cut into pieces of chance. Held against every
// input: no exception, no hang, memory within a bound, and the same outcome however the bytes were cut. An input whose outcome has a new
// shape joins the pool for as long as the campaign runs, which is what coverage would tell. Everything follows from the seed: a finding
// names it and leaves its input in a file; the input that showed a defect belongs into corpus/. Refused: instrumented coverage (a rewritten
// assembly is not what is shipped), inputs without structure alone.
using Lateen.Proxy.Net;

namespace Lateen.Test.Fuzz.Frame;

/// <summary>One parser and how it is played.</summary>
internal abstract class FuzzTarget
{
    /// <summary>Its name, and that of its folder of the corpus.</summary>
    public abstract string Name { get; }

    /// <summary>Texts that mean something to it.</summary>
    public virtual IReadOnlyList<byte[]> Words => [];

    /// <summary>Inputs beside those of the corpus' files.</summary>
    public virtual IEnumerable<byte[]> Seeds => [];

    /// <summary>An input made from structure rather than from another input; null where there is no such way.</summary>
    public virtual byte[]? Make(Chance chance, InputPool pool) => null;

    /// <summary>False where an input can't be cut, and playing it again is no other play.</summary>
    public virtual bool HasPieces => true;

    /// <summary>Plays an input.</summary>
    /// <param name="input">The bytes.</param>
    /// <param name="cuts">Where to cut; null shows all bytes at once.</param>
    /// <returns>What was seen: equal texts are equal outcomes.</returns>
    public abstract string Play(byte[] input, Chance? cuts);

    /// <summary>What the last play showed beside its outcome, and what may differ with the cuts: it counts for shapes alone.</summary>
    public virtual string Seen => "";

    /// <summary>Bytes that one play may allocate on this thread.</summary>
    public virtual long AllocationMax(int length) => 2_000_000 + (400L * length);

    /// <summary>Told before a target's campaign, and each thousand inputs: what runs for long is made anew.</summary>
    public virtual void Renew()
    {
    }

    /// <summary>Shows bytes in pieces.</summary>
    /// <param name="input">The bytes.</param>
    /// <param name="cuts">Null for one piece.</param>
    /// <param name="show">Takes a piece; false where nothing more is read.</param>
    protected static void Feed(byte[] input, Chance? cuts, Func<byte[], bool> show)
    {
        if (cuts is null || input.Length == 0)
        {
            show(input);
            return;
        }
        bool small = cuts.Hits(1, 3);
        for (int at = 0; at < input.Length;)
        {
            int n = (int)Math.Min(input.Length - at, 1 + cuts.Below(small ? 4u : 300u));
            if (!show(input[at..(at + n)]))
                return;
            at += n;
        }
    }
}
