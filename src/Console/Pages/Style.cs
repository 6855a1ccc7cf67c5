using Lateen.Console.Html;

namespace Lateen.Console.Pages;

/// <summary>The style sheet: light and dark by the system's wish, no picture, no font from elsewhere.</summary>
internal static class Style
{
    public static Markup Sheet { get; } = Markup.Raw("""
        :root{--ink:#1d2733;--quiet:#66727f;--paper:#fff;--soft:#f4f6f8;--line:#dde3e8;--good:#1a7f4b;--doubt:#9a6700;--bad:#c0362c;--accent:#1f5fbf}
        @media (prefers-color-scheme:dark){:root{--ink:#dfe6ed;--quiet:#93a0ad;--paper:#14191f;--soft:#1c232b;--line:#2f3943;--good:#4cc38a;--doubt:#e0b040;--bad:#ff7b72;--accent:#79aefc}}
        *{box-sizing:border-box}body{margin:0;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
        header{display:flex;gap:2rem;align-items:center;padding:.7rem 1.5rem;border-bottom:1px solid var(--line);background:var(--soft)}
        nav{display:flex;gap:1.2rem;flex-wrap:wrap}a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}nav a[aria-current]{color:var(--ink);font-weight:600}
        main{max-width:78rem;margin:0 auto;padding:1rem 1.5rem 3rem}h1{font-size:1.4rem;margin:.5rem 0 1rem}h2{font-size:1.05rem;margin:1.8rem 0 .6rem}
        table{border-collapse:collapse;width:100%}th{font-size:.78rem;text-transform:uppercase;letter-spacing:.04em;color:var(--quiet)}th,td{text-align:left;padding:.4rem .8rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top}
        pre,code,td.mono{font:13px/1.5 ui-monospace,monospace}pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.8rem 1rem;overflow:auto;margin:.4rem 0 1rem}
        .cards{display:flex;gap:1rem;flex-wrap:wrap}.card{flex:1 1 11rem;border:1px solid var(--line);border-radius:8px;padding:.7rem 1rem;background:var(--soft)}.card b{display:block;font-size:1.5rem;line-height:1.3}.card span{font-size:.85rem}.card span:not(.state){color:var(--quiet)}
        .state{font-weight:600}.good{color:var(--good)}.doubt{color:var(--doubt)}.bad{color:var(--bad)}.quiet{color:var(--quiet)}
        .note{border-left:4px solid currentColor;padding:.4rem .9rem;background:var(--soft);margin:.5rem 0}.note div{color:var(--ink)}.stale{opacity:.5}
        .add{color:var(--good)}.del{color:var(--bad)}.hunk{color:var(--quiet)}
        svg{width:100%;height:auto}.node{fill:var(--soft);stroke:var(--line)}svg text{font:13px system-ui,sans-serif;fill:var(--ink)}
        .edge{fill:none;stroke-width:2;stroke:var(--line)}.edge.live{stroke:var(--good)}.edge.bad{stroke:var(--bad)}svg .rate{font-size:12px;fill:var(--quiet);paint-order:stroke;stroke:var(--paper);stroke-width:4px}svg .rate.bad{fill:var(--bad)}
        form.line{display:flex;gap:.6rem;flex-wrap:wrap;align-items:end}label{display:flex;flex-direction:column;font-size:.8rem;color:var(--quiet)}
        input,select,button{font:inherit;padding:.35rem .6rem;border:1px solid var(--line);border-radius:6px;background:var(--paper);color:var(--ink)}button{background:var(--accent);color:var(--paper);border-color:var(--accent);cursor:pointer}
        """);
}
