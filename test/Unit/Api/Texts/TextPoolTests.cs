using System.Text;
using Lateen.Api.Texts;
using Xunit;

namespace Lateen.Test.Unit.Api.Texts;

public sealed class TextPoolTests
{
    private readonly TextPool _texts = new();

    [Theory]
    [InlineData("")]
    [InlineData("outbound|80||web.default.svc.cluster.local")]
    [InlineData("grün")]
    public void Bytes_and_texts_come_out_as_they_went_in(string text)
    {
        Assert.Equal(text, _texts.Of(Encoding.UTF8.GetBytes(text)));
        Assert.Equal(text, _texts.Of(text));
    }

    [Fact]
    public void Equal_texts_are_one_object()
    {
        string first = _texts.Of("web"u8);
        Assert.Same(first, _texts.Of("web"u8));
        Assert.Same(first, _texts.Of(new string("web")));
    }

    [Fact]
    public void A_long_text_is_not_remembered()
    {
        string text = new('a', 10_000);
        Assert.Equal(text, _texts.Of(Encoding.UTF8.GetBytes(text)));
    }
}
