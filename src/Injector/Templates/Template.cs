// Templates: the language in which users write what is put into their pods: Go's text/template with the functions that mesh operators know
// from charts. Whoever brought templates of their own to another mesh brings them here unchanged; the product's own are written in it, too,
// so that they can be read and replaced.
//
// A template is parsed once (Lexer, Parser, Nodes) and rendered for each pod (Rendering) over plain values (Values): text, numbers, truth,
// lists, maps, and GoObject for what has fields.
// Nothing here knows pods, YAML or Kubernetes; functions come as a table from outside. No state is kept between renderings, so one template
// serves many threads.
//
// Refused: an engine of another language with a translation of templates. The traps are in the details (trimming, missing keys, what is
// empty), and users' templates rely on them.
namespace Lateen.Injector.Templates;

/// <summary>A function that templates call. Missing arguments come as null.</summary>
public delegate object? TemplateFunction(IReadOnlyList<object?> arguments);

/// <summary>A mistake in a template, or what it was given can't be rendered.</summary>
public sealed class TemplateException : Exception
{
    /// <summary>One without a cause.</summary>
    public TemplateException(string message) : base(message)
    {
    }

    /// <summary>One with a cause.</summary>
    public TemplateException(string message, Exception inner) : base(message, inner)
    {
    }

    /// <summary>One without a message.</summary>
    public TemplateException()
    {
    }
}

/// <summary>A parsed template with the templates that it defines.</summary>
public sealed class Template
{
    private readonly string _name;
    private readonly IReadOnlyDictionary<string, BlockNode> _defined;
    private readonly IReadOnlyDictionary<string, TemplateFunction> _functions;

    private Template(string name, IReadOnlyDictionary<string, BlockNode> defined, IReadOnlyDictionary<string, TemplateFunction> functions)
    {
        (_name, _defined, _functions) = (name, defined, functions);
    }

    /// <summary>Parses.</summary>
    /// <param name="name">For messages.</param>
    /// <param name="text">The template.</param>
    /// <param name="functions">What it may call beside the language's own.</param>
    /// <param name="shared">A text whose definitions it may use; its output is dropped. Empty for none.</param>
    /// <exception cref="TemplateException">The text is no template.</exception>
    public static Template Parse(string name, string text, IReadOnlyDictionary<string, TemplateFunction> functions, string shared = "")
    {
        var defined = new Dictionary<string, BlockNode>(StringComparer.Ordinal);
        if (shared.Length > 0) _ = new TemplateParser(name, shared, defined).Parse();
        defined[""] = new TemplateParser(name, text, defined).Parse();
        return new Template(name, defined, functions);
    }

    /// <summary>Renders.</summary>
    /// <param name="context">The dot.</param>
    /// <exception cref="TemplateException">It asks for what is not there.</exception>
    public string Render(object? context) => new TemplateRendering(_name, _defined, _functions).Run(context);
}
