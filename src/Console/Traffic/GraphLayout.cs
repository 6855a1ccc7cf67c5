namespace Lateen.Console.Traffic;

/// <summary>A workload's place in the drawing.</summary>
public sealed record GraphNode(string Name, int Column, int Row);

/// <summary>Places the workloads of a graph in columns: callers left of what they call.</summary>
public static class GraphLayout
{
    /// <summary>A column for each node, by the longest way to it; rows so that a node stands near its callers.</summary>
    public static IReadOnlyList<GraphNode> Of(IReadOnlyList<TrafficEdge> edges)
    {
        string[] names = [.. edges.SelectMany(edge => new[] { edge.From, edge.To }).Distinct().Order(StringComparer.Ordinal)];
        var column = names.ToDictionary(name => name, _ => 0);
        // At most one round a node: calls in a circle would push each other to the right for ever.
        for (int round = 0; round < names.Length; round++)
        {
            bool moved = false;
            foreach (TrafficEdge edge in edges)
            {
                if (edge.From == edge.To || column[edge.To] > column[edge.From] || column[edge.From] + 1 >= names.Length) continue;
                column[edge.To] = column[edge.From] + 1;
                moved = true;
            }
            if (!moved) break;
        }
        return Rows(names, column, edges);
    }

    private static List<GraphNode> Rows(string[] names, Dictionary<string, int> column, IReadOnlyList<TrafficEdge> edges)
    {
        var placed = new Dictionary<string, GraphNode>();
        foreach (IGrouping<int, string> group in names.GroupBy(name => column[name]).OrderBy(group => group.Key))
        {
            int row = 0;
            foreach (string name in group.OrderBy(name => CallersRow(name, edges, placed)).ThenBy(name => name, StringComparer.Ordinal))
                placed[name] = new GraphNode(name, group.Key, row++);
        }
        return [.. placed.Values];
    }

    private static double CallersRow(string name, IReadOnlyList<TrafficEdge> edges, Dictionary<string, GraphNode> placed)
    {
        double[] rows = [.. edges.Where(edge => edge.To == name && placed.ContainsKey(edge.From))
            .Select(edge => (double)placed[edge.From].Row)];
        return rows.Length == 0 ? 0 : rows.Average();
    }
}
