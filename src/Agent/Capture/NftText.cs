using System.Text;

namespace Lateen.Agent.Capture;

/// <summary>The same rules in nftables' words, for machines that have `nft` and no iptables. It knows the words that
/// <see cref="SidecarRules"/> uses, and no others.</summary>
public static class NftText
{
    private const string TablePrefix = "istio-proxy-";

    /// <summary>The text that `nft -f -` takes: one transaction, as iptables-restore makes one a table.</summary>
    /// <param name="rules">The rules of one family.</param>
    /// <param name="v6">They are those of IPv6.</param>
    /// <exception cref="NotSupportedException">A rule has a word that is not known here: the two files of this folder have to be changed
    /// together.</exception>
    public static string Of(RuleSet rules, bool v6)
    {
        string family = v6 ? "ip6" : "ip";
        var text = new StringBuilder();
        foreach ((string table, IReadOnlyList<string> chains, IReadOnlyList<string> lines) in rules.Tables)
        {
            string name = $"{family} {TablePrefix}{table}";
            text.Append("add table ").Append(name).Append('\n');
            foreach (string chain in chains) text.Append("add chain ").Append(name).Append(' ').Append(chain).Append('\n');
            foreach (string hook in lines.Select(line => line.Split(' ')[1]).Distinct().Where(chain => !chains.Contains(chain)))
                text.Append("add chain ").Append(name).Append(' ').Append(hook).Append(" { ").Append(Hook(table, hook)).Append(" }\n");
            foreach (string line in lines) text.Append(Rule(line.Split(' '), name, family)).Append('\n');
        }
        return text.ToString();
    }

    // Priorities are those at which iptables has its tables.
    private static string Hook(string table, string chain) => (table, chain) switch
    {
        ("nat", "PREROUTING") => "type nat hook prerouting priority -100 ;",
        ("nat", "OUTPUT") => "type nat hook output priority -100 ;",
        ("mangle", "PREROUTING") => "type filter hook prerouting priority -150 ;",
        ("mangle", "OUTPUT") => "type route hook output priority -150 ;",
        ("raw", "PREROUTING") => "type filter hook prerouting priority -300 ;",
        ("raw", "OUTPUT") => "type filter hook output priority -300 ;",
        _ => throw new NotSupportedException($"{table} {chain}"),
    };

    // -A CHAIN ... or -I CHAIN PLACE ...
    private static string Rule(string[] words, string table, string family)
    {
        bool inserts = words[0] == "-I";
        string place = inserts && words[2] != "1" ? $" index {int.Parse(words[2]) - 2}" : "";
        string verb = inserts && place.Length == 0 ? "insert" : "add";
        return $"{verb} rule {table} {words[1]}{place} {Body(new Words(words, inserts ? 3 : 2), family)}";
    }

    private static string Body(Words words, string family)
    {
        var said = new List<string>();
        string protocol = "";
        bool portSaid = false;
        int protocolAt = 0;
        while (words.Next() is { } word)
        {
            string not = word == "!" ? "!= " : "";
            if (not.Length > 0) word = words.Must();
            switch (word)
            {
                case "-m":
                    words.Must();
                    break;
                case "-p":
                    (protocol, protocolAt) = (words.Must(), said.Count);
                    break;
                case "--dport" or "--sport" or "--dports":
                    string ports = words.Must();
                    said.Add($"{protocol} {word[2..7]} {not}{(ports.Contains(',') ? $"{{ {ports} }}" : ports)}");
                    portSaid = true;
                    break;
                case "-j":
                    if (protocol.Length > 0 && !portSaid) said.Insert(protocolAt, $"meta l4proto {protocol}");
                    said.Add(Target(words));
                    break;
                default:
                    said.Add(Match(word, not, words.Must(), family));
                    break;
            }
        }
        return string.Join(' ', said);
    }

    private static string Match(string word, string not, string value, string family) => word switch
    {
        "-d" => $"{family} daddr {not}{value}",
        "-s" => $"{family} saddr {not}{value}",
        "-o" => $"oifname {not}\"{value}\"",
        "-i" => $"iifname {not}\"{value}\"",
        "--uid-owner" => $"meta skuid {not}{value}",
        "--gid-owner" => $"meta skgid {not}{value}",
        "--mark" => $"meta mark {not}{value}",
        "--ctstate" => $"ct state {not}{value.ToLowerInvariant()}",
        _ => throw new NotSupportedException(word),
    };

    private static string Target(Words words)
    {
        string target = words.Must();
        switch (target)
        {
            case "RETURN" or "ACCEPT" or "DROP":
                return target.ToLowerInvariant();
            case "REDIRECT":
                words.Must();
                return $"redirect to :{words.Must()}";
            case "MARK":
                words.Must();
                return $"meta mark set {words.Must()}";
            case "CONNMARK":
                return words.Must() == "--save-mark" ? "ct mark set meta mark" : "meta mark set ct mark";
            case "CT":
                words.Must();
                return $"ct zone set {words.Must()}";
            case "TPROXY":
                words.Must();
                string mark = words.Must().Split('/')[0];
                words.Must();
                return $"tproxy to :{words.Must()} meta mark set {mark} accept";
            default:
                return $"jump {target}";
        }
    }

    private sealed class Words(string[] all, int at)
    {
        private int _at = at;

        public string? Next()
        {
            // Two words may have had two blanks between them.
            while (_at < all.Length && all[_at].Length == 0) _at++;
            return _at < all.Length ? all[_at++] : null;
        }

        public string Must() => Next() ?? throw new NotSupportedException($"{string.Join(' ', all)} ends too early");
    }
}
