using System.Globalization;
using System.Runtime.CompilerServices;
using Lateen.Test.Fuzz.Frame;
using Lateen.Test.Fuzz.Targets;

double seconds = 60;
ulong seed = 1;
long inputs = long.MaxValue;
string[] only = [];
string? play = null;
for (int i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--seconds": seconds = double.Parse(args[++i], CultureInfo.InvariantCulture); break;
        case "--inputs": inputs = long.Parse(args[++i], CultureInfo.InvariantCulture); break;
        case "--seed": seed = ulong.Parse(args[++i], CultureInfo.InvariantCulture); break;
        case "--only": only = args[++i].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries); break;
        case "--play": play = args[++i]; break;
        default:
            Console.Error.WriteLine($"unknown argument {args[i]}; known are --seconds N (in all), --inputs N (of each target, at "
                + $"most), --seed N, --only TARGET,..., --play FILE (with --only)");
            return 2;
    }
}

FuzzTarget[] targets = [.. Catalogue.All().Where(t => only.Length == 0 || only.Contains(t.Name))];
if (play is not null)
{
    foreach (FuzzTarget target in targets)
    {
        target.Renew();
        Console.WriteLine(target.Play(File.ReadAllBytes(play), null));
    }
    return 0;
}
int failed = 0;
string corpus = Path.Combine(Here(), "corpus"), state = Path.GetFullPath(Path.Combine(Here(), "..", "..", ".build", "fuzz"));
foreach (FuzzTarget target in targets)
{
    CampaignResult result = new Campaign(target, corpus, state).Run(TimeSpan.FromSeconds(seconds / targets.Length), inputs, seed);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{target.Name}: {result.Inputs:N0} inputs, {result.Shapes} shapes"));
    foreach (string finding in result.Findings)
        Console.WriteLine("FOUND " + finding);
    failed += result.Findings.Count == 0 ? 0 : 1;
}
Console.WriteLine($"{targets.Length - failed} passed, {failed} failed");
return failed == 0 ? 0 : 1;

static string Here([CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;
