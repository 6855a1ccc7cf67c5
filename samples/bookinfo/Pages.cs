using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Bookinfo;

/// <summary>The HTML. Everything that came from outside is encoded where it enters the page.</summary>
internal static class Pages
{
    private static readonly (string Key, string Label)[] Rows =
        [("type", "Type"), ("pages", "Pages"), ("publisher", "Publisher"), ("language", "Language"), ("ISBN-10", "ISBN-10"),
            ("ISBN-13", "ISBN-13"), ("year", "Year")];

    public static string Index() => Frame(null, """
        <section class="hero"><h1>Hello!</h1><p class="lead">This is a small bookshop made of four services: the product page asks <b>details</b> and <b>reviews</b>,
        and reviews may ask <b>ratings</b>. What you see tells you which of them answered.</p>
        <ul class="links"><li><a href="/productpage">The page, as anyone</a></li><li><a href="/productpage?u=test">The page, as the user “test”</a></li></ul></section>
        """);

    public static string Product(string? user, JsonNode? details, int detailsStatus, JsonNode? reviews, int reviewsStatus) =>
        Frame(user, $"""
        <section class="hero"><p class="kicker">Paperback · {Text(details?["author"]) ?? "Author unknown just now"}</p><h1>{Book.Title}</h1><p class="lead">{Book.Summary}</p></section>
        <div class="columns">
        <section class="card details"><h2>Book Details</h2>{DetailsTable(details, detailsStatus)}</section>
        <section class="reviews"><h2>Book Reviews</h2>{ReviewList(reviews, reviewsStatus)}</section>
        </div>
        """);

    private static string DetailsTable(JsonNode? details, int status)
    {
        if (status != 200 || details is not JsonObject)
            return Trouble("Error fetching product details!", details, "Sorry, product details are currently unavailable for this book.");
        var rows = new StringBuilder("<dl>");
        foreach ((string key, string label) in Rows)
            if (Text(details[key]) is { } value) rows.Append($"<div><dt>{label}</dt><dd>{value}</dd></div>");
        return rows.Append("</dl>").ToString();
    }

    private static string ReviewList(JsonNode? reviews, int status)
    {
        if (status != 200 || reviews?["reviews"] is not JsonArray list)
            return Trouble("Error fetching product reviews!", reviews, "Sorry, product reviews are currently unavailable for this book.");
        var html = new StringBuilder();
        foreach (JsonNode? review in list)
            html.Append(
                $"<blockquote class=\"card\"><p>“{Text(review?["text"])}”</p><footer><cite>{Text(review?["reviewer"])}</cite>{Stars(review?["rating"])}</footer></blockquote>");
        string cluster = Text(reviews["clustername"]) is { } named and not "null" ? $" on cluster <u>{named}</u>" : "";
        return html.Append($"<p class=\"served\">Reviews served by: <u>{Text(reviews["podname"]) ?? "unknown"}</u>{cluster}</p>")
            .ToString();
    }

    private static string Stars(JsonNode? rating)
    {
        if (rating is null) return "";
        if (rating["stars"] is null)
            return $"<span class=\"missing\">{Text(rating["error"]) ?? "Ratings service is currently unavailable"}</span>";
        int stars = Math.Clamp(rating["stars"]!.GetValue<int>(), 0, 5);
        string colour = Text(rating["color"]) == "red" ? "red" : "black";
        return $"<span class=\"stars {colour}\" role=\"img\" aria-label=\"{stars} of 5 stars\">{new string('★', stars)}<span "
            + $"class=\"rest\">{new string('★', 5 - stars)}</span></span>";
    }

    private static string Trouble(string title, JsonNode? answer, string otherwise) =>
        $"<div class=\"card trouble\"><h3>{title}</h3><p>{Text(answer is JsonObject ? answer["error"] : null) ?? otherwise}</p></div>";

    private static string? Text(JsonNode? node) => node is JsonValue value ? WebUtility.HtmlEncode(value.ToString()) : null;

    private static string Frame(string? user, string body) => $"""
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Simple Bookstore App</title>
        <link rel="icon" href="/static/book.svg"><link rel="stylesheet" href="/static/style.css"></head>
        <body><header><a class="brand" href="/productpage"><img src="/static/book.svg" alt="" width="28" height="28">BookInfo Sample</a>{Account(user)}</header>
        <main>{body}</main>
        <dialog id="login"><form method="post" action="/login"><h2>Please sign in</h2>
        <label>User Name<input name="username" autocomplete="username" required maxlength="63" autofocus></label>
        <label>Password<input name="passwd" type="password" autocomplete="current-password" placeholder="any will do"></label>
        <div class="buttons"><button class="quiet" type="button" onclick="this.closest('dialog').close()">Cancel</button><button type="submit">Sign in</button></div></form></dialog>
        </body></html>
        """;

    private static string Account(string? user) => user is null
        ? "<button onclick=\"document.getElementById('login').showModal()\">Sign in</button>"
        : $"<span class=\"account\"><span class=\"user\">{WebUtility.HtmlEncode(user)}</span> <a href=\"/logout\">sign out</a></span>";
}
