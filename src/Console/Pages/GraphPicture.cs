using Lateen.Console.Html;
using Lateen.Console.Traffic;

namespace Lateen.Console.Pages;

/// <summary>The graph of calls as an SVG drawing.</summary>
internal static class GraphPicture
{
    private const int NodeWidth = 170, NodeHeight = 40, ColumnStep = 300, RowStep = 84, Margin = 16;

    public static Markup Of(IReadOnlyList<TrafficEdge> edges)
    {
        if (edges.Count == 0)
            return Markup.Of($"<p class=quiet>No calls have been seen yet. Send one through the mesh and look again.</p>");
        IReadOnlyList<GraphNode> nodes = GraphLayout.Of(edges);
        var places = nodes.ToDictionary(node => node.Name);
        int width = ((nodes.Max(node => node.Column) + 1) * ColumnStep) - (ColumnStep - NodeWidth) + (2 * Margin);
        int height = (nodes.Max(node => node.Row) * RowStep) + NodeHeight + (2 * Margin) + 14;
        return Markup.Of($"""
            <svg viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img" aria-label="calls between workloads">
            <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="context-stroke"/></marker></defs>
            {Markup.Each(edges.Where(edge => edge.From != edge.To), edge => Arrow(edge, places[edge.From], places[edge.To], IsCrowded(edges, edge)))}
            {Markup.Each(nodes, Box)}
            </svg>
            """);
    }

    private static Markup Box(GraphNode node) => Markup.Of($"""
        <g><rect x="{X(node)}" y="{Y(node)}" width="{NodeWidth}" height="{NodeHeight}" rx="6" class="node"/><text x="{X(node) + (NodeWidth / 2)}" y="{Y(node) + 25}" text-anchor="middle">{Short(node.Name)}</text></g>
        """);

    private static Markup Arrow(TrafficEdge edge, GraphNode from, GraphNode to, bool nearSource)
    {
        bool forward = to.Column > from.Column;
        int x1 = forward ? X(from) + NodeWidth : X(from), y1 = Y(from) + (NodeHeight / 2);
        int x2 = forward ? X(to) : X(to) + NodeWidth, y2 = Y(to) + (NodeHeight / 2);
        int bend = forward ? (x2 - x1) / 2 : -60;
        int labelX = (forward ? 1 : -1) * (nearSource ? 66 : -66) + (nearSource ? x1 : x2), labelY = (nearSource ? y1 : y2) - 8;
        string state = edge.FailedShare > 0.01 ? "bad" : edge.PerSecond > 0 ? "live" : "idle";
        return Markup.Of($"""
            <path class="edge {state}" d="M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}" marker-end="url(#tip)"/><text class="rate {state}" x="{labelX}" y="{labelY}" text-anchor="middle">{Rate(edge)}{(edge.Secured ? " mTLS" : "")}</text>
            """);
    }

    // A label stands at the end of its arrow where fewer others end.
    private static bool IsCrowded(IReadOnlyList<TrafficEdge> edges, TrafficEdge edge) =>
        edges.Count(other => other.To == edge.To) > edges.Count(other => other.From == edge.From);

    private static string Rate(TrafficEdge edge)
    {
        string rate = edge.PerSecond is > 0 and { } perSecond ? $"{perSecond:0.#}/s" : $"{edge.Total:0}";
        return edge.FailedShare > 0.001 ? $"{rate}, {edge.FailedShare:0%} fail" : rate;
    }

    private static int X(GraphNode node) => Margin + (node.Column * ColumnStep);

    private static int Y(GraphNode node) => Margin + (node.Row * RowStep);

    private static string Short(string name) => name.Length > 22 ? name[..21] + "…" : name;
}
