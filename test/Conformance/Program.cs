using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners;
using Lateen.Test.Rigs;

string? vectors = null, report = null;
string[] only = [];
bool tighten = false, verbose = false, quick = false;
for (int i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--vectors": vectors = args[++i]; break;
        case "--only": only = args[++i].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries); break;
        case "--report": report = args[++i]; break;
        case "--tighten": tighten = true; break;
        case "--verbose": verbose = true; break;
        case "--quick": quick = true; break;
        default:
            Console.Error.WriteLine(
                $"unknown argument {args[i]}; known are --vectors DIR, --only FOLDER,..., --report FILE, --tighten, --verbose, --quick");
            return 2;
    }
}

string root = Repository.Root;
string standard = Path.Combine(root, "..", "shared", "conformance");
bool named = vectors is not null;
vectors ??= standard;
if (!Directory.Exists(vectors))
{
    Console.WriteLine($"skipped: no vectors at {vectors}");
    Console.WriteLine("0 passed, 0 failed");
    return named ? 2 : 0;
}
// The ratchet is of these vectors; others have cases of their own.
bool ours = Repository.Real(vectors) == Repository.Real(standard);
if (tighten && !ours)
{
    Console.Error.WriteLine($"--tighten is for the vectors that the ratchet is of ({standard}), not for {vectors}");
    return 2;
}

var session = new Session(Path.GetFullPath(vectors), Catalogue.All(root),
    ours ? new Ratchet(Path.Combine(root, "test", "Conformance", "Ratchet")) : null);
// "proxy" alone names all of its suites. The quick run leaves out what needs the proxy as a process.
session.Run(f => (only.Length == 0 || only.Any(o => f == o || f.StartsWith(o + "/", StringComparison.Ordinal)))
    && !(quick && only.Length == 0 && Catalogue.IsSlow(f)), verbose);
if (report is not null)
    session.Report(report);
if (tighten)
    session.Tighten();
foreach (string fallen in session.FallenBack)
    Console.WriteLine($"FELL BACK {fallen}");
Console.WriteLine($"{session.Passed} passed, {session.FallenBack.Count} failed");
return session.FallenBack.Count == 0 ? 0 : 1;
