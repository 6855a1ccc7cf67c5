using System.Globalization;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Server;

/// <summary>The admin pages of statistics: /stats, /stats/prometheus, /stats/recentlookups, /reset_counters. Main loop.</summary>
public sealed class StatPages(StatStore store)
{
    private readonly PrometheusText _prometheus = new(store);
    private bool _tracksLookups;

    /// <summary>/stats.</summary>
    public AdminAnswer Stats(AdminRequest request)
    {
        if (StatQuery.Parse(request.Query, out string error) is not { } query)
            return AdminAnswer.Text(error, 400);
        if (store.Rules.FlushOnRead)
            store.Flush();
        var text = new ByteBuffer(16 * 1024);
        switch (query.Format)
        {
            case "json":
                return new AdminAnswer(200, "application/json", StatJson.Write(store.All(), query, store.Rules));
            case "prometheus":
                _prometheus.Write(query, text);
                break;
            case "html" or "active-html":
                text.Append("<!DOCTYPE html>\n<html lang=\"en\"><head><title>Statistics</title></head><body><pre id=\"scopes\">\n"u8);
                var plain = new ByteBuffer(16 * 1024);
                StatText.Write(store.All(), query, store.Rules, plain);
                text.Append(System.Net.WebUtility.HtmlEncode(System.Text.Encoding.UTF8.GetString(plain.Written)));
                text.Append("</pre></body></html>\n"u8);
                return new AdminAnswer(200, "text/html; charset=UTF-8", text.Written.ToArray());
            default:
                StatText.Write(store.All(), query, store.Rules, text);
                break;
        }
        return new AdminAnswer(200, "text/plain; charset=UTF-8", text.Written.ToArray());
    }

    /// <summary>/stats/prometheus.</summary>
    public AdminAnswer Prometheus(AdminRequest request)
    {
        var parameters = new Dictionary<string, string>(request.Query, StringComparer.Ordinal) { ["format"] = "prometheus" };
        return Stats(request with { Query = parameters });
    }

    /// <summary>/reset_counters.</summary>
    public AdminAnswer Reset(AdminRequest request)
    {
        store.ResetCounters();
        return AdminAnswer.Text("OK\n");
    }

    /// <summary>/stats/recentlookups: names are looked up when configuration is taken, never by requests, so that the list is always
    /// empty.</summary>
    public AdminAnswer RecentLookups(AdminRequest request) =>
        AdminAnswer.Text(string.Create(CultureInfo.InvariantCulture, $"{LookupsHead}\ntotal: {store.All().Length}\n"));

    private string LookupsHead =>
        _tracksLookups ? "   Count Lookup\n" : "Lookup tracking is not enabled. Use /stats/recentlookups/enable to enable.\n";

    /// <summary>/stats/recentlookups/enable and the like.</summary>
    public AdminAnswer TrackLookups(bool? tracks)
    {
        _tracksLookups = tracks ?? _tracksLookups;
        return AdminAnswer.Text("OK\n");
    }
}
