using System.Text;

namespace Lateen.Agent.Capture;

/// <summary>Rules of one address family, table by table, in the order they were added.</summary>
public sealed class RuleSet
{
    private static readonly HashSet<string> BuiltIn = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
    private readonly SortedDictionary<string, List<string>> _rules = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, List<string>> _chains = new(StringComparer.Ordinal);

    /// <summary>Adds a rule at the end of a chain.</summary>
    public void Append(string table, string chain, string rule) => Add(table, chain, $"-A {chain} {rule}");

    /// <summary>Puts a rule at a place in a chain, counted from 1.</summary>
    public void Insert(string table, string chain, int at, string rule) => Add(table, chain, $"-I {chain} {at} {rule}");

    /// <summary>True when no rule was added.</summary>
    public bool IsEmpty => _rules.Count == 0;

    /// <summary>By table: its own chains, and its rules, each as a line of iptables.</summary>
    public IEnumerable<(string Table, IReadOnlyList<string> Chains, IReadOnlyList<string> Rules)> Tables =>
        _rules.Select(table => (table.Key, (IReadOnlyList<string>)_chains[table.Key], (IReadOnlyList<string>)table.Value));

    /// <summary>The text that iptables-restore takes.</summary>
    public string ToRestoreText()
    {
        var text = new StringBuilder();
        foreach ((string table, List<string> rules) in _rules)
        {
            text.Append("* ").Append(table).Append('\n');
            foreach (string chain in _chains[table]) text.Append("-N ").Append(chain).Append('\n');
            foreach (string rule in rules) text.Append(rule).Append('\n');
            text.Append("COMMIT\n");
        }
        return text.ToString();
    }

    private void Add(string table, string chain, string line)
    {
        if (!_rules.TryGetValue(table, out List<string>? rules)) (_rules[table], _chains[table]) = (rules = [], []);
        if (!BuiltIn.Contains(chain) && !_chains[table].Contains(chain)) _chains[table].Add(chain);
        rules.Add(line);
    }
}
