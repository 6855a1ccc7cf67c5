using System.Text;
using Lateen.Proxy.Routing;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Matching;

/// <summary>Patterns as RE2 reads them.</summary>
public sealed class RegexSyntaxTests
{
    [Theory]
    [InlineData("[[:alpha:]]+", "abcXYZ", true)]
    [InlineData("[[:alpha:]]+", "abc1", false)]
    [InlineData("[[:alnum:]_.-]+", "a-1_b.c", true)]
    [InlineData("[^[:space:]]+", "a b", false)]
    [InlineData("[[:^digit:]]+", "abc", true)]
    [InlineData("[[:^digit:]]+", "a1c", false)]
    [InlineData("(?P<user>[a-z]+)-x", "ann-x", true)]
    [InlineData(@"\Qa.b*\E+", "a.b**", true)]
    [InlineData(@"\Qa.b\E", "axb", false)]
    [InlineData(@"\x{41}\pN", "A7", true)]
    [InlineData(@"\w+", "caf\u00e9", false)]
    [InlineData(@"[\w-]+", "a-b_9", true)]
    [InlineData(@"caf\W+", "caf\u00e9", true)]
    [InlineData("caf\u00e9?s", "caf\u00e9s", true)]
    [InlineData("caf\u00e9?s", "cafs", true)]
    [InlineData("[]a]+", "]a", true)]
    [InlineData("[^]a]+", "xy", true)]
    [InlineData(@"[\]\[:]+", "[:]", true)]
    [InlineData(@"v[0-9]+\.[0-9]+", "v1.22", true)]
    [InlineData(@"^(.*?;\s*)?(user=jason)(;.*)?$", "a=b; user=jason", true)]
    [InlineData("(?i)abc", "ABC", true)]
    public void The_whole_text_is_matched(string pattern, string text, bool matches) =>
        Assert.Equal(matches, new SafeRegex(pattern).IsMatch(Encoding.UTF8.GetBytes(text)));

    [Theory]
    [InlineData("(a")]
    [InlineData("[a")]
    [InlineData(@"(?=a)")]
    [InlineData(@"(a)\1")]
    public void What_re2_refuses_is_refused(string pattern) =>
        Assert.True(Record.Exception(() => new SafeRegex(pattern)) is ArgumentException or NotSupportedException);
}
