using Lateen.Console.Html;
using Xunit;

namespace Lateen.Test.Unit.Console;

public sealed class MarkupTests
{
    [Fact]
    public void Text_in_a_hole_is_encoded_and_markup_is_not()
    {
        string hostile = "<script>alert('x')</script>\"";
        Markup inner = Markup.Of($"<b>{hostile}</b>");
        string page = Markup.Of($"<p title=\"{hostile}\">{inner}</p>").ToString();
        Assert.Equal(
            "<p title=\"&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;\"><b>&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;</b></p>", page);
    }

    [Fact]
    public void Numbers_keep_their_format_and_nothing_stays_nothing()
    {
        string? absent = null;
        Assert.Equal("1.5;7;", Markup.Of($"{1.5:0.#};{7};{absent}").ToString());
    }
}
