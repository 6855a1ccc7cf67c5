using System.Text.RegularExpressions;
using Xunit;

namespace Lateen.Test.Tidy;

public sealed partial class SourceTests
{
    private const int RedZone = 420;
    private const int CodecRedZone = 700;
    private const int ColumnsMax = 140;

    private static readonly string[] Refused = ["Manager", "Helper", "Util", "Utils", "Common", "Base", "Impl", "Data", "Info", "Processor",
        "Engine", "Wrapper", "Misc"];

    [Fact]
    public void Protobuf_is_mentioned_in_the_proxy_at_its_border_only()
    {
        var inside = Tree.Sources("src/Proxy")
            .Where(f => !f.StartsWith("src/Proxy/Xds/", StringComparison.Ordinal)
                && !f.StartsWith("src/Proxy/Remote/", StringComparison.Ordinal));
        Assert.Empty(inside.Where(f => Wire().IsMatch(Tree.Code(f))));
    }

    [Fact]
    public void Files_in_the_red_zone_become_fewer()
    {
        HashSet<string> known = Tree.Ratchet("long-files.txt");
        string[] now = [.. Tree.Sources("src").Where(f => Tree.Lines(f).Length > Zone(f))];
        Assert.Empty(now.Except(known));
    }

    [Fact]
    public void No_type_has_a_name_that_says_nothing()
    {
        HashSet<string> known = Tree.Ratchet("names.txt");
        var found = new List<string>();
        foreach (string file in Tree.Sources("src"))
        {
            foreach (Match type in Types().Matches(Tree.Code(file)))
            {
                string name = type.Groups[1].Value;
                if (Refused.Any(r => name == r
                    || (name.EndsWith(r, StringComparison.Ordinal) && name.Length > r.Length && char.IsLower(name[^(r.Length + 1)]))))
                    found.Add(name);
            }
        }
        Assert.Empty(found.Except(known));
    }

    [Fact]
    public void Nothing_unfinished_is_left_in_the_source()
    {
        Assert.Empty(Tree.Sources("src").Where(f => Unfinished().IsMatch(Tree.Read(f))));
    }

    [Fact]
    public void The_proxy_reads_no_clock_and_makes_no_thread_outside_of_its_edges()
    {
        string[] edges = ["src/Proxy/Net/Epoll/", "src/Proxy/Telemetry/LogSink.cs", "src/Proxy/Server/"];
        var found = Tree.Sources("src/Proxy")
            .Where(f => !edges.Any(e => f.StartsWith(e, StringComparison.Ordinal)) && Clock().IsMatch(Tree.Code(f)));
        Assert.Empty(found.Except(Tree.Ratchet("clocks.txt")));
    }

    [Fact]
    public void A_folder_holds_at_most_fourteen_files()
    {
        HashSet<string> known = Tree.Ratchet("full-folders.txt");
        IEnumerable<string> now = Tree.Sources("src").GroupBy(f => f[..f.LastIndexOf('/')]).Where(g => g.Count() > 14).Select(g => g.Key);
        Assert.Empty(now.Except(known));
    }

    [Fact]
    public void Private_fields_begin_with_an_underscore() =>
        Assert.Equal([], Tree.Sources("src")
            .SelectMany(file => Fields().Matches(Tree.Code(file)).Select(field => $"{file}: {field.Groups[1].Value}")));

    // As .editorconfig has it. What can't be broken may be longer: a text in quotes, a line of a text in many lines, a directive, a name for a type.
    [Fact]
    public void Lines_fit() => Assert.Equal([], Tree.Sources("src").SelectMany(file => Tree.Brief(file).Split('\n')
        .Where(static line => line.Length > ColumnsMax && line[0] != '#' && !line.StartsWith("using ", StringComparison.Ordinal)).Select(line => $"{file}: {line.Trim()}")));

    private static int Zone(string file) =>
        Regex.IsMatch(file, "/(Http/One|Http/Two|Xds|Tls|Generation|Documents)/") ? CodecRedZone : RedZone;

    // What is static to a thread or a process has Microsoft's prefixes, t_ and s_.
    [GeneratedRegex(@"^ +private (?:readonly |volatile )*(?!static|const|partial|sealed|async)[\w<>,?.\[\]]+(?: [\w<>,?.\[\]]+>)? ([a-z]\w*)(?: =[^>=]|;)", RegexOptions.Multiline)]
    private static partial Regex Fields();

    [GeneratedRegex(@"\b(Google\.Protobuf|Envoy\.(Config|Extensions|Service|Type|Data|Admin)|Istio\.[A-Z]\w+\.V)")]
    private static partial Regex Wire();

    [GeneratedRegex(@"\b(?:class|record|struct|interface|enum)\s+([A-Z]\w*)")]
    private static partial Regex Types();

    [GeneratedRegex(@"\b(TODO|FIXME|HACK|XXX|NotImplementedException)\b")]
    private static partial Regex Unfinished();

    [GeneratedRegex(@"\b(DateTime(Offset)?\.(Utc)?Now|Environment\.TickCount|Stopwatch\.|new Thread\(|Thread\.Sleep|Task\.(Run|Delay)|new Random\(|Random\.Shared)")]
    private static partial Regex Clock();
}
