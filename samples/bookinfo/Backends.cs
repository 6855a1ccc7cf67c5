using System.Net;

namespace Bookinfo;

/// <summary>Calls to the other services, by name. What identifies a user's request travels along; nothing else of it does.</summary>
internal sealed class Backends
{
    // The tracing headers in use (B3, W3C, and the older ones), the time that is left, and who asks and with what.
    private static readonly string[] Travelling =
    [
        "x-request-id", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags", "b3", "x-ot-span-context",
        "x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-sampling-priority", "traceparent", "tracestate", "x-cloud-trace-context",
        "grpc-trace-bin",
        "sw8", "x-envoy-expected-rq-timeout-ms", "user-agent", "cookie", "authorization", "jwt", "end-user",
    ];

    private static readonly HttpClient Client = new(new SocketsHttpHandler
    {
        UseCookies = false,
        AllowAutoRedirect = false,
        ActivityHeadersPropagator = null,
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
    })
    { Timeout = Timeout.InfiniteTimeSpan };

    private readonly string _domain = Setting("SERVICES_DOMAIN", "") is { Length: > 0 } domain ? "." + domain : "";

    /// <summary>An answer: its status, 0 where there was none, and its text.</summary>
    public readonly record struct Answer(int Status, string Body)
    {
        public bool Good => Status == 200;
    }

    /// <summary>GETs a path of a service on behalf of <paramref name="context"/>'s request.</summary>
    public async Task<Answer> GetAsync(HttpContext context, string service, string path, TimeSpan timeout, string? user = null)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        deadline.CancelAfter(timeout);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{Address(service)}{path}");
        foreach (string name in Travelling)
            if (context.Request.Headers.TryGetValue(name, out var values))
                request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        if (user is not null)
        {
            request.Headers.Remove("end-user");
            request.Headers.TryAddWithoutValidation("end-user", user);
        }
        try
        {
            using HttpResponseMessage response = await Client.SendAsync(request, deadline.Token);
            return new Answer((int)response.StatusCode, await response.Content.ReadAsStringAsync(deadline.Token));
        }
        catch (Exception failure) when (failure is HttpRequestException or OperationCanceledException or IOException)
        {
            return new Answer(0, "");
        }
    }

    public static string Setting(string name, string otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : otherwise;

    private string Address(string service)
    {
        string upper = service.ToUpperInvariant();
        return $"{Setting(upper + "_HOSTNAME", service)}{_domain}:{Setting(upper + "_SERVICE_PORT", "9080")}";
    }
}
