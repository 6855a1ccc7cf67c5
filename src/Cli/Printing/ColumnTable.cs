using System.Text;

namespace Lateen.Cli.Printing;

/// <summary>One cell: its text and its colour, kept apart so that colour never moves a column.</summary>
public readonly record struct Cell(string Text, Tone Tone = Tone.Plain)
{
    /// <summary>A cell without colour.</summary>
    public static implicit operator Cell(string text) => new(text);
}

/// <summary>A table as kubectl prints one: a line of capitals, columns three blanks apart, the last one ragged.</summary>
public sealed class ColumnTable(params string[] columns)
{
    private const int Gap = 3;
    private readonly List<Cell[]> _rows = [];

    /// <summary>Number of rows so far.</summary>
    public int Count => _rows.Count;

    /// <summary>Adds a row; it has as many cells as there are columns.</summary>
    public void Row(params Cell[] cells) => _rows.Add(cells);

    /// <summary>Prints the table.</summary>
    public void Print(Terminal terminal, bool headings = true)
    {
        int[] widths = [.. columns.Select(
            (column, i) => _rows.Select(row => row[i].Text.Length).Append(headings ? column.Length : 0).Max() + Gap)];
        if (headings) terminal.Line(Joined(terminal, [.. columns.Select(column => (Cell)column)], widths));
        foreach (Cell[] row in _rows) terminal.Line(Joined(terminal, row, widths));
    }

    private static string Joined(Terminal terminal, Cell[] cells, int[] widths)
    {
        var line = new StringBuilder();
        for (int i = 0; i < cells.Length; i++)
        {
            string text = cells[i].Text;
            bool last = Array.TrueForAll(cells[(i + 1)..], cell => cell.Text.Length == 0);
            line.Append(text.Length == 0 ? "" : terminal.Paint(text, cells[i].Tone));
            if (last) break;
            line.Append(' ', widths[i] - text.Length);
        }
        return line.ToString();
    }
}
