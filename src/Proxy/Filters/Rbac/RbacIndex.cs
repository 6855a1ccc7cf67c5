using System.Runtime.CompilerServices;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Rbac;

/// <summary>
/// Which of many policies can concern a stream at all. What a policy needs of path, method, host or the client's name is gathered when it
/// is published, as sets of texts and beginnings; a stream's own values then leave a handful of policies to be judged in full. It may leave
/// one too many (case is ignored, only what is easily known is used), never one too few.
/// </summary>
internal sealed class RbacIndex
{
    private readonly Axis[] _axes;
    private readonly int _words;

    private RbacIndex(Axis[] axes, int words)
    {
        _axes = axes;
        _words = words;
    }

    /// <summary>Numbers of 64 policies each.</summary>
    public int Words => _words;

    /// <summary>An index; null where it would help nothing.</summary>
    public static RbacIndex? Of(RbacPolicy[] policies)
    {
        int words = (policies.Length + 63) / 64;
        var axes = new List<Axis>();
        foreach (AxisKind kind in Enum.GetValues<AxisKind>())
        {
            Needs?[] needs = [.. policies.Select(p => NeedsOf(kind == AxisKind.Peer ? p.Principals : p.Permissions, kind))];
            if (needs.Count(static n => n is not null) >= 4)
                axes.Add(new Axis(kind, needs, words));
        }
        return axes.Count == 0 ? null : new RbacIndex([.. axes], words);
    }

    /// <summary>Sets the bits of the policies that may concern the stream.</summary>
    public void Candidates(IStreamFacts facts, Span<ulong> candidates)
    {
        candidates.Fill(ulong.MaxValue);
        Span<ulong> along = stackalloc ulong[_words];
        foreach (Axis axis in _axes)
        {
            axis.Find(facts, along);
            for (int i = 0; i < _words; i++)
                candidates[i] &= along[i];
        }
    }

    // ---- what a policy needs

    private enum AxisKind : byte
    {
        Path,
        Method,
        Host,
        Peer,
    }

    private sealed record Needs(HashSet<string> Exact, HashSet<string> Prefixes);

    // One of the rules must hold, so each must need something, or nothing is needed.
    private static Needs? NeedsOf(IReadOnlyList<RbacRule> rules, AxisKind kind)
    {
        var all = new Needs([], []);
        foreach (RbacRule rule in rules)
        {
            if (NeedsOf(rule, kind) is not { } one)
                return null;
            all.Exact.UnionWith(one.Exact);
            all.Prefixes.UnionWith(one.Prefixes);
        }
        return rules.Count == 0 ? null : all;
    }

    private static Needs? NeedsOf(RbacRule rule, AxisKind kind)
    {
        switch (rule)
        {
            case SetRule { All: false } set:
                return NeedsOf(set.Rules, kind);
            case SetRule set:
                return set.Rules.Select(r => NeedsOf(r, kind)).FirstOrDefault(static n => n is not null);
            case UrlPathRule path when kind == AxisKind.Path:
                return Of(path.Match);
            case HeaderRule { Match: { Invert: false, MissingIsEmpty: false, Value: { } value } header }:
                return (kind == AxisKind.Method && header.Name == ":method") || (kind == AxisKind.Host && header.Name == ":authority")
                    ? Of(value) : null;
            case AuthenticatedRule { Match: { } name } when kind == AxisKind.Peer:
                return Of(name);
            default:
                return null;
        }
    }

    private static Needs? Of(StringMatch match) => match.Kind switch
    {
        StringMatchKind.Exact => new Needs([Lower(match.Written)], []),
        StringMatchKind.Prefix when match.Written.Length > 0 => new Needs([], [Lower(match.Written)]),
        _ => null,
    };

    private static string Lower(string text) => string.Create(text.Length, text, static (to, from) =>
    {
        for (int i = 0; i < from.Length; i++)
            to[i] = char.ToLowerInvariant(from[i]);
    });

    // ---- one axis

    private sealed class Axis
    {
        private const int TextMax = 1024;

        private readonly AxisKind _kind;
        private readonly ulong[] _rest;
        private readonly Dictionary<string, ulong[]>.AlternateLookup<ReadOnlySpan<char>> _exact;
        private readonly (int Length, Dictionary<string, ulong[]>.AlternateLookup<ReadOnlySpan<char>> Texts)[] _prefixes;

        public Axis(AxisKind kind, Needs?[] needs, int words)
        {
            _kind = kind;
            _rest = new ulong[words];
            var exact = new Dictionary<string, ulong[]>(StringComparer.Ordinal);
            var prefixes = new SortedDictionary<int, Dictionary<string, ulong[]>>();
            for (int i = 0; i < needs.Length; i++)
            {
                if (needs[i] is not { } need)
                {
                    _rest[i / 64] |= 1ul << (i % 64);
                    continue;
                }
                foreach (string text in need.Exact)
                    Mark(exact, text, i, words);
                foreach (string text in need.Prefixes)
                {
                    if (!prefixes.TryGetValue(text.Length, out Dictionary<string, ulong[]>? same))
                        prefixes[text.Length] = same = new Dictionary<string, ulong[]>(StringComparer.Ordinal);
                    Mark(same, text, i, words);
                }
            }
            _exact = exact.GetAlternateLookup<ReadOnlySpan<char>>();
            _prefixes = [.. prefixes.Select(static p => (p.Key, p.Value.GetAlternateLookup<ReadOnlySpan<char>>()))];
        }

        private static void Mark(Dictionary<string, ulong[]> texts, string text, int policy, int words)
        {
            if (!texts.TryGetValue(text, out ulong[]? bits))
                texts[text] = bits = new ulong[words];
            bits[policy / 64] |= 1ul << (policy % 64);
        }

        public void Find(IStreamFacts facts, Span<ulong> bits)
        {
            _rest.CopyTo(bits);
            if (_kind == AxisKind.Peer)
                AddPeer(facts.DownstreamTls, bits);
            else if (facts.RequestHead is { } head)
                Add(ValueOf(head), bits);
        }

        private ReadOnlySpan<byte> ValueOf(HeaderMap head)
        {
            if (_kind != AxisKind.Path)
                return head[_kind == AxisKind.Method ? KnownHeader.Method : KnownHeader.Authority];
            ReadOnlySpan<byte> path = head[KnownHeader.Path];
            int end = path.IndexOfAny((byte)'?', (byte)'#');
            return end < 0 ? path : path[..end];
        }

        private void AddPeer(TlsFacts? tls, Span<ulong> bits)
        {
            if (tls is null)
                return;
            for (int i = 0; i < tls.PeerUris.Count; i++)
                Add(tls.PeerUris[i], bits);
            for (int i = 0; i < tls.PeerDnsNames.Count; i++)
                Add(tls.PeerDnsNames[i], bits);
            Add(tls.PeerSubject, bits);
        }

        [SkipLocalsInit]
        private void Add(ReadOnlySpan<byte> value, Span<ulong> bits)
        {
            Span<char> text = value.Length <= TextMax ? stackalloc char[TextMax] : new char[value.Length];
            // Texts of policies are Unicode: bytes are read as such, and what is none cannot be equal to one.
            int n = System.Text.Encoding.UTF8.GetChars(value, text);
            for (int i = 0; i < n; i++)
                text[i] = char.ToLowerInvariant(text[i]);
            AddLower(text[..n], bits);
        }

        [SkipLocalsInit]
        private void Add(string value, Span<ulong> bits)
        {
            Span<char> text = value.Length <= TextMax ? stackalloc char[TextMax] : new char[value.Length];
            for (int i = 0; i < value.Length; i++)
                text[i] = char.ToLowerInvariant(value[i]);
            AddLower(text[..value.Length], bits);
        }

        private void AddLower(ReadOnlySpan<char> text, Span<ulong> bits)
        {
            if (_exact.TryGetValue(text, out ulong[]? exact))
                Or(exact, bits);
            foreach ((int length, var texts) in _prefixes)
            {
                if (length > text.Length)
                    return;
                if (texts.TryGetValue(text[..length], out ulong[]? begun))
                    Or(begun, bits);
            }
        }

        private static void Or(ulong[] more, Span<ulong> bits)
        {
            for (int i = 0; i < more.Length; i++)
                bits[i] |= more[i];
        }
    }
}
