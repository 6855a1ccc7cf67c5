using System.Text.Json.Nodes;

namespace Bookinfo;

/// <summary>The one book of the shop.</summary>
internal static class Book
{
    public const int Id = 0;
    public const string Title = "The Comedy of Errors";
    public const string Summary = """
        <a href="https://en.wikipedia.org/wiki/The_Comedy_of_Errors">Wikipedia Summary</a>: The Comedy of Errors is one of <b>William Shakespeare's</b> early plays,
        and his shortest. Two pairs of identical twins, parted at birth, come to the same town on the same day, and everyone takes everyone for somebody else.
        """;

    public static JsonObject Json() => new() { ["id"] = Id, ["title"] = Title, ["descriptionHtml"] = Summary.ReplaceLineEndings(" ") };
}
