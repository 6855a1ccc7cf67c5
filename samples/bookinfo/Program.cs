// Bookinfo: a page about a book, put together by four small services: productpage asks details and reviews, and versions v2 and v3 of
// reviews ask ratings. One program; its first argument says which service it is. What differs between versions comes from the environment,
// as in a Deployment: SERVICE_VERSION, and for reviews ENABLE_RATINGS and STAR_COLOR. No service knows that there is a mesh: each calls the
// others by name over plain HTTP and hands on the headers that a mesh needs to see which calls belong together.
//
// Its paths, its JSON and its behaviour in trouble are those of the Bookinfo that Istio users know; program and pages are written anew.
namespace Bookinfo;

internal static class Program
{
    public static async Task<int> Main(string[] args)
    {
        Action<WebApplication>? service = args.FirstOrDefault() switch
        {
            "productpage" => new ProductPage(new Backends()).Map,
            "details" => Details.Map,
            "reviews" => new Reviews(new Backends()).Map,
            "ratings" => new Ratings().Map,
            _ => null,
        };
        if (service is null)
        {
            await Console.Error.WriteLineAsync("usage: bookinfo productpage|details|reviews|ratings [port, else $PORT, else 9080]");
            return 64;
        }
        string host = Environment.GetEnvironmentVariable("HOST") is { Length: > 0 } named ? named : "0.0.0.0";
        string port = args.ElementAtOrDefault(1) ?? (Environment.GetEnvironmentVariable("PORT") is { Length: > 0 } said ? said : "9080");
        WebApplicationBuilder builder =
            WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.WebHost.UseKestrelCore().UseUrls($"http://{host}:{port}").ConfigureKestrel(server => server.AddServerHeader = false);
        builder.Services.AddRoutingCore();
        WebApplication app = builder.Build();
        app.Use(LogAsync);
        service(app);
        try
        {
            await app.StartAsync();
        }
        catch (IOException taken)
        {
            await Console.Error.WriteLineAsync(
                $"bookinfo {args[0]} cannot listen on {host}:{port}: {taken.InnerException?.Message ?? taken.Message}");
            return 1;
        }
        Console.WriteLine($"{args[0]} listens on {host}:{port}");
        await app.WaitForShutdownAsync();
        return 0;
    }

    private static async Task LogAsync(HttpContext context, RequestDelegate next)
    {
        await next(context);
        if (context.Request.Path != "/health")
            Console.WriteLine($"{context.Request.Method} {context.Request.Path} {context.Response.StatusCode}");
    }
}
