using System.Collections;

namespace Lateen.Api.Diagnostics;

/// <summary>Collects the findings of one reading or one check, in the order in which they were made. Not thread-safe.</summary>
public sealed class DiagnosticBag : IReadOnlyList<Diagnostic>
{
    /// <summary>More findings than this of one text help nobody; the rest is counted only.</summary>
    public const int CountMax = 1000;

    private readonly List<Diagnostic> _items = [];

    public int Count => _items.Count;

    public int ErrorCount { get; private set; }

    /// <summary>Findings that were dropped because <see cref="CountMax"/> was reached.</summary>
    public int DroppedCount { get; private set; }

    public bool HasErrors => ErrorCount > 0;

    public Diagnostic this[int index] => _items[index];

    public void Add(Diagnostic diagnostic)
    {
        ArgumentNullException.ThrowIfNull(diagnostic);
        if (diagnostic.IsError) ErrorCount++;
        if (_items.Count >= CountMax)
        {
            DroppedCount++;
            return;
        }

        _items.Add(diagnostic);
    }

    /// <summary>Adds a finding with the code's own level and advice.</summary>
    public void Add(DiagnosticCode code, SourcePosition position, string path, string text, string? remedy = null, string resource = "") =>
        Add(new Diagnostic
        {
            Code = code,
            Level = code.Level,
            Position = position,
            Path = path,
            Text = text,
            Remedy = remedy ?? code.Remedy,
            Resource = resource,
        });

    public void AddRange(IEnumerable<Diagnostic> diagnostics)
    {
        foreach (var diagnostic in diagnostics) Add(diagnostic);
    }

    public IEnumerator<Diagnostic> GetEnumerator() => _items.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
