using Lateen.Api.Texts;
using Lateen.Cli;
using Lateen.Cli.Printing;
using Xunit;

namespace Lateen.Test.Unit.Cli;

public sealed class PrintingTests
{
    [Theory]
    [InlineData(false, "NAME     STATE    NOTE\na        SYNCED   x\nlonger   STALE\n")]
    [InlineData(true, "NAME     STATE    NOTE\na        \e[32mSYNCED\e[0m   x\nlonger   STALE\n")]
    public void Colour_moves_no_column_and_lines_end_without_blanks(bool colour, string expected)
    {
        var output = new StringWriter { NewLine = "\n" };
        var table = new ColumnTable("NAME", "STATE", "NOTE");
        table.Row("a", new Cell("SYNCED", Tone.Good), "x");
        table.Row("longer", "STALE", "");
        table.Print(new Terminal(output, TextWriter.Null, TextReader.Null, colour));
        Assert.Equal(expected, output.ToString());
    }

    [Theory]
    [InlineData("30s", 30_000)]
    [InlineData("1m30s", 90_000)]
    [InlineData("250ms", 250)]
    [InlineData("2", 2_000)]
    public void Durations_are_read_in_gos_notation(string text, int milliseconds) =>
    Assert.Equal(milliseconds, Durations.Parse(text).TotalMilliseconds);

    [Theory]
    [InlineData("")]
    [InlineData("soon")]
    [InlineData("3x")]
    [InlineData("-3s")]
    public void What_is_no_duration_is_a_misuse(string text) =>
    Assert.Equal(CommandException.Misuse, Assert.Throws<CommandException>(() => Durations.Parse(text)).ExitCode);

    [Theory]
    [InlineData(59, "59s")]
    [InlineData(150, "2m30s")]
    [InlineData(3 * 3600, "3h")]
    [InlineData(30 * 3600, "30h")]
    [InlineData(86400 * 3 + 7200, "3d2h")]
    public void Ages_are_written_as_kubectl_writes_them(int seconds, string expected) =>
    Assert.Equal(expected, Durations.Age(TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void A_difference_has_three_lines_of_context_and_the_places_of_both_texts()
    {
        string before = string.Concat(Enumerable.Range(1, 20).Select(i => i + "\n"));
        string after = before.Replace("10\n", "ten\n", StringComparison.Ordinal) + "21\n";
        Assert.Equal(["@@ -7,7 +7,7 @@", " 7", " 8", " 9", "-10", "+ten", " 11", " 12", " 13", "@@ -18,3 +18,4 @@", " 18", " 19", " 20",
            "+21"], LineDiff.Hunks(before, after));
    }

    [Theory]
    [InlineData(new[] { "aply" }, "error: `lateen` does not know \"aply\"\n  Did you mean \"apply\"? See `lateen --help`.\n")]
    [InlineData(new[] { "get", "vs", "--outptu", "yaml" },
        "error: `lateen get` does not know \"--outptu\"\n  Did you mean \"--output\"? See `lateen get --help`.\n")]
    public async Task A_misspelt_word_gets_the_nearest_one(string[] arguments, string expected)
    {
        var errors = new StringWriter { NewLine = "\n" };
        int code = await Commands.RunAsync(arguments, new Terminal(TextWriter.Null, errors, TextReader.Null));
        Assert.Equal((CommandException.Misuse, expected), (code, errors.ToString()));
    }
}
