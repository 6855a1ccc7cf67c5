// Steps: what the words of scenarios do. Each file has the steps of one subject; a step is a pattern over the whole line and what it does
// to the play. Nothing here parses files.
using System.Text.RegularExpressions;
using Lateen.ControlPlane.Operator;
using Lateen.Test.Rigs.Stage;
using Lateen.Test.Rigs.Text;

namespace Lateen.Test.Scenarios.Steps;

/// <summary>A pattern over a whole line, and what it does.</summary>
internal sealed record Step(string Pattern, Action<Play, Match, string> Act)
{
    private readonly Regex _pattern = new($"^(?:{Pattern})$", RegexOptions.CultureInvariant);

    public bool TryRun(Play play, WrittenStep written)
    {
        Match match = _pattern.Match(written.Words);
        if (match.Success) Act(play, match, written.Block);
        return match.Success;
    }
}

/// <summary>One run of a scenario.</summary>
internal sealed class Play(ulong seed)
{
    private static readonly Step[] Known = [.. ConfigurationSteps.All, .. TrafficSteps.All, .. FaultSteps.All, .. SecuritySteps.All,
        .. AnswerSteps.All];

    public Mesh Mesh { get; } = new(seed);

    /// <summary>The calls of the last step that made some.</summary>
    public List<Call> Calls { get; } = [];

    /// <summary>Calls that go on being made while steps are taken; null for none.</summary>
    public CallStream? Stream { get; set; }

    /// <summary>The answer to the last apply that was tried; null for none.</summary>
    public ChangeAnswer? LastApply { get; set; }

    /// <summary>The scenario's file, for names in messages.</summary>
    public string File { get; private set; } = "";

    /// <summary>Plays a scenario.</summary>
    /// <exception cref="ScenarioException">A step is not understood or does not hold.</exception>
    public static void Run(ScenarioFile file, ulong seed)
    {
        var play = new Play(seed) { File = Path.GetFileName(file.Path) };
        foreach (WrittenStep step in file.Steps)
        {
            try
            {
                if (!Known.Any(known => known.TryRun(play, step))) throw new ScenarioException("this step is not understood");
            }
            catch (ScenarioException failed)
            {
                throw new ScenarioException($"{file.Path}:{step.Line}: {step.Words}\n  {failed.Message}\n  seed {seed}");
            }
        }
    }
}
