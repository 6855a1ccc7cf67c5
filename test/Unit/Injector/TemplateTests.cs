using Lateen.Injector.Templates;
using Lateen.Injector.Templates.Functions;
using Xunit;

namespace Lateen.Test.Unit.Injector;

public sealed class TemplateTests
{
    private static readonly Dictionary<string, object?> Context = new()
    {
        ["Name"] = "reviews",
        ["Count"] = 3L,
        ["Empty"] = "",
        ["Map"] = new Dictionary<string, object?> { ["b"] = "2", ["a"] = "1" },
        ["List"] = new List<object?> { "x", "y" },
    };

    [Theory]
    [InlineData("{{ .Name }}", "reviews")]
    [InlineData("a {{- .Name -}} b", "areviewsb")]
    [InlineData("{{/* nothing */}}x", "x")]
    [InlineData("{{ .Missing.Part }}", "<no value>")]
    [InlineData("{{ printf \"%v\" .Missing }}", "<nil>")]
    [InlineData("{{ if .Empty }}yes{{ else if eq .Count 3 }}three{{ else }}no{{ end }}", "three")]
    [InlineData("{{ range $k, $v := .Map }}{{ $k }}={{ $v }};{{ end }}", "a=1;b=2;")]
    [InlineData("{{ range .None }}x{{ else }}none{{ end }}", "none")]
    [InlineData("{{ range .List }}{{ if eq . \"y\" }}{{ break }}{{ end }}{{ . }}{{ end }}", "x")]
    [InlineData("{{ $n := 1 }}{{ range .List }}{{ $n = add $n 1 }}{{ end }}{{ $n }}", "3")]
    [InlineData("{{ with .Name }}{{ . | upper }}{{ end }}", "REVIEWS")]
    [InlineData("{{ define \"part\" }}<{{ . }}>{{ end }}{{ template \"part\" .Name }}", "<reviews>")]
    [InlineData("{{ define \"part\" }}a\nb{{ end }}{{ include \"part\" . | nindent 2 }}", "\n  a\n  b")]
    [InlineData("{{ and .Name .Empty }}|{{ or .Empty .Name }}|{{ not .Empty }}", "|reviews|true")]
    [InlineData("{{ .Empty | default \"d\" | quote }}", "\"d\"")]
    [InlineData("{{ index .Map \"a\" }}{{ index .List 1 }}", "1y")]
    [InlineData("{{ (dict \"a\" (list 1 2)).a | len }}", "2")]
    [InlineData("{{ `raw \"text\"` }}", "raw \"text\"")]
    public void It_renders_as_Go_does(string template, string expected) =>
    Assert.Equal(expected, Template.Parse("t", template, FunctionTable.All).Render(Context));

    [Theory]
    [InlineData("{{ if .Name }}x")]
    [InlineData("{{ .Name")]
    [InlineData("{{ end }}")]
    [InlineData("{{ \"open }}")]
    public void What_is_no_template_is_told_with_its_line(string template)
    {
        var failure = Assert.Throws<TemplateException>(() => Template.Parse("t", template, FunctionTable.All));
        Assert.Contains("template t, line 1", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ now }}", "now")]
    [InlineData("{{ template \"none\" }}", "none")]
    [InlineData("{{ fail \"because\" }}", "because")]
    [InlineData("{{ define \"again\" }}{{ template \"again\" }}{{ end }}{{ template \"again\" }}", "deeply")]
    public void What_cannot_be_rendered_is_told(string template, string expected)
    {
        var failure = Assert.Throws<TemplateException>(() => Template.Parse("t", template, FunctionTable.All).Render(Context));
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(15020, "15020")]
    [InlineData(1000000, "1e+06")]
    [InlineData(1.5, "1.5")]
    [InlineData(0.00001, "1e-05")]
    public void Real_numbers_print_as_in_Go(double number, string expected) => Assert.Equal(expected, TemplateValues.Print(number));
}
