using System.Text.RegularExpressions;
using Xunit;

namespace Lateen.Test.Tidy;

/// <summary>No field of what the proxy is configured with is forgotten: a translator names it, or the table of what is not served
/// does.</summary>
public sealed partial class ServedFieldTests
{
    private const string Protos = "src/Schema/Protos/envoy/";

    private static readonly string[] Folders =
    [
        "config/listener/v3", "config/cluster/v3", "config/endpoint/v3", "config/route/v3", "config/core/v3", "config/bootstrap/v3",
        "extensions/filters/network/http_connection_manager/v3",
        "extensions/filters/network/tcp_proxy/v3", "extensions/transport_sockets/tls/v3", "extensions/upstreams/http/v3",
    ];

    [Fact]
    public void Every_field_of_the_configuration_is_served_or_named_as_not_served()
    {
        string[] sources = [.. Tree.Sources("src/Proxy")
            .Where(f => f.StartsWith("src/Proxy/Xds/", StringComparison.Ordinal)
                || f.StartsWith("src/Proxy/Remote/", StringComparison.Ordinal))];
        HashSet<string> words = [.. sources.SelectMany(f => Words().Matches(Tree.Code(f)).Select(m => m.Value))];
        HashSet<string> table = [.. Fields().Matches(Tree.Read("src/Proxy/Xds/Bounds/UnservedTable.cs")).Select(m => m.Value)];
        var forgotten = new List<string>();
        foreach (string file in Folders.SelectMany(f => Directory.EnumerateFiles(Path.Combine(Tree.Root, Protos + f), "*.proto"))
            .Order(StringComparer.Ordinal))
        {
            // A message that no translator names stands behind a field that is not served.
            forgotten.AddRange(Messages(file)
                .Where(m => words.Contains(m.Message.Split('.')[^1]) && !words.Contains(Pascal(m.Field)) && !table.Contains(m.Field))
                .Select(m => $"{m.Message}.{m.Field}"));
        }
        Assert.Equal("", string.Join(" ", forgotten));
    }

    // Every field with the message that it stands in.
    private static IEnumerable<(string Message, string Field)> Messages(string file)
    {
        var open = new Stack<(string Kind, string Name)>();
        foreach (string line in File.ReadLines(file))
        {
            if (Opening().Match(line) is { Success: true } begin)
            {
                if (!line.Contains('}', StringComparison.Ordinal))
                    open.Push((begin.Groups[1].Value, begin.Groups[2].Value));
            }
            else if (Field().Match(line) is { Success: true } field && open.All(o => o.Kind != "enum"))
            {
                yield return (string.Join('.', open.Where(o => o.Kind == "message").Select(o => o.Name).Reverse()), field.Groups[1].Value);
            }
            else if (line.TrimStart().StartsWith('}') && open.Count > 0)
            {
                open.Pop();
            }
        }
    }

    // As protoc names the property: a letter behind a digit is a capital.
    private static string Pascal(string name) =>
        Digits().Replace(string.Concat(name.Split('_').Select(p => char.ToUpperInvariant(p[0]) + p[1..])), m => m.Value.ToUpperInvariant());

    [GeneratedRegex(@"\b[A-Z]\w*")]
    private static partial Regex Words();

    [GeneratedRegex("[a-z][a-z0-9]*(?:_[a-z0-9]+)*")]
    private static partial Regex Fields();

    [GeneratedRegex(@"^\s*(message|enum|oneof)\s+(\w+)\s*\{")]
    private static partial Regex Opening();

    [GeneratedRegex(@"^\s*(?:repeated |optional )?(?:map<[^>]*>|[\w.]+)\s+(\w+)\s*=\s*\d+")]
    private static partial Regex Field();

    [GeneratedRegex("(?<=[0-9])[a-z]")]
    private static partial Regex Digits();
}
