using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Objects;

/// <summary>Resources as kubectl's command line names them.</summary>
internal static class Targets
{
    /// <summary>`KIND NAME NAME...` or `KIND/NAME KIND/NAME...`.</summary>
    /// <exception cref="CommandException">The two are mixed, or a name is missing.</exception>
    public static IReadOnlyList<Target> Parse(IReadOnlyList<string> words)
    {
        if (words.Count == 0) return [];
        if (!words[0].Contains('/'))
        {
            if (words.Count == 1) throw new CommandException($"which {words[0]}?",
                $"Name one, as in `{words[0]} NAME` or `{words[0]}/NAME`.", CommandException.Misuse);
            return [.. words.Skip(1).Select(name => new Target(words[0], name))];
        }
        return [.. words.Select(Pair)];
    }

    private static Target Pair(string word)
    {
        int slash = word.IndexOf('/');
        return slash > 0 && slash < word.Length - 1 ? new(word[..slash], word[(slash + 1)..])
            : throw new CommandException($"\"{word}\" is not KIND/NAME", null, CommandException.Misuse);
    }
}
