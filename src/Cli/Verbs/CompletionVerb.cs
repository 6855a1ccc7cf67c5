using System.CommandLine;
using Lateen.Cli.Printing;

namespace Lateen.Cli.Verbs;

/// <summary>`lateen completion SHELL`: the few lines that make a shell ask this program what may come next.</summary>
internal static class CompletionVerb
{
    // The program's own [suggest] directive answers; the scripts only carry the line and the cursor to it.
    private const string Bash = """
        _lateen() { local IFS=$'\n'; COMPREPLY=($(compgen -W "$(lateen "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}")); }
        complete -o default -F _lateen lateen
        """;

    private const string Zsh = """
        #compdef lateen
        _lateen() { local -a words_found; words_found=("${(@f)$(lateen "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}"); compadd -- "${words_found[@]}"; }
        compdef _lateen lateen
        """;

    private const string Fish = """
        complete -c lateen -f -a '(lateen "[suggest:"(commandline -C)"]" (commandline -cp) 2>/dev/null)'
        """;

    public static Command Command(Terminal terminal)
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion",
            "Print what makes a shell complete lateen's commands: `. <(lateen completion bash)`") { shell };
        command.SetAction(parsed =>
        {
            terminal.Line(parsed.GetRequiredValue(shell) switch { "zsh" => Zsh, "fish" => Fish, _ => Bash });
            return 0;
        });
        return command;
    }
}
