namespace Lateen.Proxy.Statistics;

/// <summary>Numbers that something else keeps in fields of its own (rows by worker), under one prefix.</summary>
public sealed class ReadingSource(string prefix, IReadOnlyList<(string Name, StatKind Kind, Func<long?> Read)> members) : StatSource
{
    private StatSeries[]? _series;

    internal override int Version => 0;

    internal override void Collect(List<StatSeries> to) =>
        to.AddRange(_series ??= [.. members.Select(m => new Reading(prefix + m.Name, m.Kind, m.Read))]);
}
