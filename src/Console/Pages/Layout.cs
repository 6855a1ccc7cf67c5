// Pages: one class a page, each a function from what the mesh says to markup. What the pages share (frame, style, states, ages) is Layout.
using Lateen.Console.Html;

namespace Lateen.Console.Pages;

/// <summary>The frame round every page.</summary>
internal static class Layout
{
    private static readonly (string Path, string Name)[] Links = [("/", "Overview"), ("/configuration", "Configuration"),
        ("/proxies", "Proxies"), ("/history", "History"), ("/explain", "Explain")];

    // Fetches the live part again while the page is looked at; a control plane that is away leaves the last picture and says so.
    private const string LiveScript = """
        <script>
        const live = document.getElementById('live');
        setInterval(async () => {
          if (document.hidden) return;
          try { const r = await fetch('/live'); if (r.ok) { live.innerHTML = await r.text(); live.classList.remove('stale'); } }
          catch { live.classList.add('stale'); }
        }, 2000);
        </script>
        """;

    public static Markup Page(string title, Markup body, bool live = false) => Markup.Of($"""
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title} · Lateen</title><style>{Style.Sheet}</style></head>
        <body><header><strong>Lateen</strong><nav>{Markup.Each(Links, link => Markup.Of($"<a href=\"{link.Path}\"{(link.Name == title ? Markup.Raw(" aria-current=page") : Markup.Empty)}>{link.Name}</a>"))}</nav></header>
        <main><h1>{title}</h1>
        {body}
        </main>{(live ? Markup.Raw(LiveScript) : Markup.Empty)}</body></html>
        """);

    /// <summary>A table; no rows give the sentence instead.</summary>
    public static Markup Table(string[] headings, IReadOnlyList<Markup> rows, string none) => rows.Count == 0
        ? Markup.Of($"<p class=quiet>{none}</p>")
        : Markup.Of(
            $"<table><thead><tr>{Markup.Each(headings, heading => Markup.Of($"<th>{heading}</th>"))}</tr></thead><tbody>{Markup.Join(rows)}</tbody></table>");

    /// <summary>What went wrong while a page was made.</summary>
    public static Markup Problem(string text) => Markup.Of($"<p class=\"note bad\">{text}</p>");

    /// <summary>A state as a coloured word.</summary>
    public static Markup State(string text, string tone) => Markup.Of($"<span class=\"state {tone}\">{text}</span>");

    /// <summary>How long ago, in two units at most.</summary>
    public static string Age(TimeSpan age) => age switch
    {
        { TotalSeconds: < 1 } => "now",
        { TotalMinutes: < 1 } => $"{age.Seconds} s ago",
        { TotalHours: < 1 } => $"{age.Minutes} min ago",
        { TotalDays: < 1 } => $"{age.Hours} h {age.Minutes} min ago",
        _ => $"{(int)age.TotalDays} d ago",
    };
}
