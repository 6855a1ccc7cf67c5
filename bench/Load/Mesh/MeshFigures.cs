namespace Lateen.Bench.Load.Mesh;

/// <summary>What istiod takes for a step in CPU seconds (Go, one core, the same world and real clients), and what ours may take.</summary>
internal sealed record MeshFigures(string Istiod, double Target)
{
    private static readonly Dictionary<(int, int, int), (string Istiod, double Target)[]> All = new()
    {
        [(1000, 5, 100)] = [("10", 1.0), ("0.03", 0.01), ("1.1", 0.10), ("0.9", 0.10), ("0.9", 0.10), ("4.2–12", 1.5), ("6–11", 0.8),
            ("600", 150)],
        [(1000, 10, 500)] = [("72", 5), ("0.24", 0.05), ("4.1", 0.4), ("5.5", 0.4), ("6.4", 0.4), ("59", 6), ("64", 4), ("2900", 250)],
        [(5000, 5, 200)] = [("102", 8), ("0.18", 0.02), ("9.0", 0.5), ("9.7", 0.5), ("8.9", 0.5), ("21", 3), ("97", 7), ("4900", 500)],
    };

    /// <summary>The figures of a step in a world; empty where nobody measured.</summary>
    public static MeshFigures Of(MeshWorld world, int proxies, int step) =>
        All.TryGetValue((world.Services, world.Endpoints, proxies), out (string Istiod, double Target)[]? steps)
            ? new(steps[step].Istiod, steps[step].Target) : new("", double.NaN);
}
