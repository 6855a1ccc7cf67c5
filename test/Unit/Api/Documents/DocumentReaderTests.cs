using System.Text;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Xunit;

namespace Lateen.Test.Unit.Api.Documents;

public sealed class DocumentReaderTests
{
    private static (IReadOnlyList<Document> Documents, DiagnosticBag Bag) Read(string text, string file = "a.yaml",
        DocumentLimits? limits = null)
    {
        var bag = new DiagnosticBag();
        return (DocumentReader.Read(text, file, bag, limits), bag);
    }

    [Fact]
    public void A_broken_document_leaves_the_others_readable()
    {
        var (documents, bag) = Read("a: 1\n---\nb: [\n---\nc: 3\n");
        Assert.Equal(["a", "c"], documents.Select(d => ((MappingNode)d.Root!).Members[0].Name));
        Assert.Equal(5, documents[1].FirstLine);
        Assert.Equal(5, documents[1].Root!.Line);
        Assert.Equal("LTN1001", Assert.Single(bag).Code.Id);
    }

    [Fact]
    public void Places_are_those_of_the_file()
    {
        var (documents, _) = Read("# note\n---\nspec:\n  http:\n  - name: x\n    match: 1\n");
        Assert.Equal((6, 5), NodePath.Locate(documents[0].Root!, "spec.http[0].match"));
        Assert.Equal((5, 5), NodePath.Locate(documents[0].Root!, "spec.http[0]"));
        Assert.Equal((5, 5), NodePath.Locate(documents[0].Root!, "spec.http[0].absent.more"));
    }

    [Fact]
    public void Json_has_places_too()
    {
        var (documents, bag) = Read("{\n  \"a\": [1,\n    {\"b\": \"é\", \"c\": true}]\n}", "a.json");
        Assert.Empty(bag);
        Assert.Equal((3, 17), NodePath.Locate(documents[0].Root!, "a[1].c"));
    }

    [Fact]
    public void Flow_yaml_is_not_taken_for_broken_json()
    {
        var (documents, bag) = Read("{a: b, c: [d]}\n---\nx: y\n");
        Assert.Empty(bag);
        Assert.Equal(2, documents.Count);
    }

    [Fact]
    public void Aliases_and_merges_are_resolved()
    {
        var (documents, bag) = Read("base: &b {x: 1, y: 2}\nmore:\n  <<: *b\n  y: 3\n");
        Assert.Empty(bag);
        var more = (MappingNode)((MappingNode)documents[0].Root!)["more"]!;
        Assert.Equal(["y=3", "x=1"], more.Members.Select(m => $"{m.Name}={((ScalarNode)m.Value).Value}"));
    }

    [Fact]
    public void A_bomb_of_aliases_is_refused()
    {
        var text = new StringBuilder("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for (var i = 1; i < 12; i++) text.Append($"a{i}: &a{i} [{string.Join(',', Enumerable.Repeat($"*a{i - 1}", 10))}]\n");
        var (documents, bag) = Read(text.ToString());
        Assert.Empty(documents);
        Assert.Equal("LTN1003", Assert.Single(bag).Code.Id);
    }

    [Theory]
    [InlineData('[')]
    [InlineData('{')]
    public void Deep_nesting_is_refused(char open)
    {
        var nested = string.Concat(Enumerable.Repeat(open == '[' ? "[" : "{\"a\":", 20_000));
        var (documents, bag) = Read(nested);
        Assert.Empty(documents);
        Assert.True(bag.HasErrors);
        var (yaml, yamlBag) = Read("x: " + string.Concat(Enumerable.Repeat(open == '[' ? "[" : "{a: ", 3_000)));
        Assert.Empty(yaml);
        Assert.True(yamlBag.HasErrors);
    }

    [Fact]
    public void Duplicate_keys_are_told()
    {
        Assert.Equal("LTN1002", Assert.Single(Read("a: 1\nb: 2\na: 3\n").Bag).Code.Id);
        Assert.Equal("LTN1002", Assert.Single(Read("{\"a\": 1, \"a\": 2}").Bag).Code.Id);
    }

    [Theory]
    [InlineData("~", ScalarKind.Null, "null")]
    [InlineData("True", ScalarKind.Boolean, "true")]
    [InlineData("0x1F", ScalarKind.Integer, "31")]
    [InlineData("007", ScalarKind.Integer, "7")]
    [InlineData("1e3", ScalarKind.Float, "1e3")]
    [InlineData(".5", ScalarKind.Float, ".5")]
    [InlineData("1.2.3", ScalarKind.Text, "1.2.3")]
    [InlineData("on", ScalarKind.Text, "on")]
    [InlineData("10s", ScalarKind.Text, "10s")]
    [InlineData("'5'", ScalarKind.Text, "5")]
    [InlineData("!!str 5", ScalarKind.Text, "5")]
    public void Scalars_are_resolved(string text, ScalarKind kind, string value)
    {
        var scalar = (ScalarNode)((MappingNode)Read("a: " + text).Documents[0].Root!)["a"]!;
        Assert.Equal((kind, value), (scalar.Kind, scalar.Value));
    }

    [Fact]
    public void Whatever_a_file_holds_nothing_is_thrown()
    {
        var random = new Random(7);
        var alphabet = "{}[]\",:-?&*!|>'%@`#\n\t \\abc0~<.\u0000\u0085\u2028é\ud83d\r".ToCharArray();
        for (var i = 0; i < 4000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => alphabet[random.Next(alphabet.Length)]));
            var (documents, bag) = Read(text);
            Assert.True(documents.Count > 0 || bag.Count >= 0);
        }
    }
}
