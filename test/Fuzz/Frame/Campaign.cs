using System.Diagnostics;
using System.Globalization;
using Lateen.Proxy.Net;

namespace Lateen.Test.Fuzz.Frame;

/// <summary>What a campaign came to.</summary>
/// <param name="Inputs">Inputs played.</param>
/// <param name="Shapes">Different shapes of outcomes.</param>
/// <param name="Findings">What broke, each place once.</param>
internal readonly record struct CampaignResult(long Inputs, int Shapes, IReadOnlyCollection<string> Findings);

/// <summary>Plays one target for a time.</summary>
internal sealed class Campaign(FuzzTarget target, string corpus, string state)
{
    private const int FindingsMax = 20;
    private static readonly TimeSpan PlayMax = TimeSpan.FromSeconds(10);

    private readonly Dictionary<string, string> _findings = [];
    private readonly InputPool _pool = new(target.Words);
    private readonly HashSet<int> _shapes = [];
    private byte[] _input = [];
    private long _playing;

    /// <summary>Plays the corpus as it is, then what is made of it, until <paramref name="time"/> is over, <paramref name="most"/> were
    /// played or too much has broken.</summary>
    public CampaignResult Run(TimeSpan time, long most, ulong seed)
    {
        using var over = new CancellationTokenSource();
        var guard = new Thread(() => Guard(over.Token)) { IsBackground = true };
        guard.Start();
        long end = Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency), inputs = 0;
        target.Renew();
        foreach (byte[] input in Corpus())
        {
            inputs++;
            Note(Try(input, seed));
        }
        for (; _findings.Count < FindingsMax && inputs < most && Stopwatch.GetTimestamp() < end; seed++, inputs++)
        {
            var chance = new Chance(seed);
            if (inputs % 1000 == 999)
                target.Renew();
            Note(Try((chance.Hits(1, 2) ? target.Make(chance, _pool) : null) ?? _pool.Change(chance), seed));
        }
        over.Cancel();
        return new CampaignResult(inputs, _shapes.Count, _findings.Values);
    }

    // One place that breaks is one finding, however many inputs meet it; after one nothing may be as it was.
    private void Note(string? finding)
    {
        if (finding is null)
            return;
        int at = finding.IndexOf("\n   at ", StringComparison.Ordinal), end = at < 0 ? -1 : finding.IndexOf('\n', at + 1);
        _findings.TryAdd(end < 0 ? finding[..Math.Min(finding.Length, 40)] : finding[at..end], finding);
        target.Renew();
    }

    private IEnumerable<byte[]> Corpus()
    {
        string folder = Path.Combine(corpus, target.Name);
        IEnumerable<byte[]> files = Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(File.ReadAllBytes) : [];
        byte[][] all = [.. files, .. target.Seeds];
        foreach (byte[] input in all)
            _pool.Add(input);
        return all;
    }

    // One input, whole and in pieces.
    private string? Try(byte[] input, ulong seed)
    {
        _input = input;
        Volatile.Write(ref _playing, Stopwatch.GetTimestamp());
        try
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            string whole = target.Play(input, null);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            if (allocated > target.AllocationMax(input.Length))
                return Keep(seed, $"allocates {allocated:N0} bytes for {input.Length}");
            string shape = whole + "\n" + target.Seen;
            string pieces = target.HasPieces ? target.Play(input, new Chance(~seed)) : whole;
            if (whole != pieces)
                return Keep(seed, $"another outcome in pieces:\n--- whole\n{whole}\n--- in pieces\n{pieces}");
            if (_shapes.Add(ShapeOf(shape)))
                _pool.Add(input);
            return null;
        }
        catch (Exception e)
        {
            return Keep(seed, e.ToString());
        }
        finally
        {
            Volatile.Write(ref _playing, 0);
        }
    }

    // Words without numbers, and repetitions as one: two inputs of one shape went the same way.
    private static int ShapeOf(string outcome)
    {
        var hash = new HashCode();
        ReadOnlySpan<char> last = default;
        foreach (ReadOnlySpan<char> line in outcome.AsSpan().EnumerateLines())
        {
            int end = line.IndexOfAnyInRange('0', '9');
            ReadOnlySpan<char> word = line[..Math.Min(end < 0 ? line.Length : end, 60)];
            if (!word.SequenceEqual(last))
                hash.Add(string.GetHashCode(word));
            last = word;
        }
        return hash.ToHashCode();
    }

    private string Keep(ulong seed, string what)
    {
        Directory.CreateDirectory(state);
        string file = Path.Combine(state, string.Create(CultureInfo.InvariantCulture, $"{target.Name}-{seed}"));
        File.WriteAllBytes(file, _input);
        return string.Create(CultureInfo.InvariantCulture, $"{target.Name}, seed {seed}, input in {file} ({_input.Length} bytes): {what}");
    }

    // A hang can't be left by what hangs: the process ends, having told what it was.
    private void Guard(CancellationToken over)
    {
        while (!over.WaitHandle.WaitOne(1000))
        {
            long since = Volatile.Read(ref _playing);
            if (since != 0 && Stopwatch.GetElapsedTime(since) > PlayMax)
            {
                Console.WriteLine(Keep(0, "does not end"));
                Console.WriteLine("0 passed, 1 failed");
                Environment.Exit(1);
            }
        }
    }
}
