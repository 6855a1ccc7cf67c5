namespace Lateen.Cli.Up;

/// <summary>Asks for the page until it is there: what the user will see, seen first.</summary>
internal sealed class PageCheck(string page)
{
    /// <summary>Waits for the first 200.</summary>
    /// <exception cref="CommandException">It did not come.</exception>
    public async Task AwaitAsync(TimeSpan patience, CancellationToken cancel)
    {
        using var client = new HttpClient(
            new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(5) };
        string last = "nothing answered";
        for (DateTime until = DateTime.UtcNow + patience; DateTime.UtcNow < until; await Task.Delay(15, cancel).ConfigureAwait(false))
        {
            try
            {
                using HttpResponseMessage answer = await client.GetAsync(
                    page.Replace("//localhost:", "//127.0.0.1:", StringComparison.Ordinal), cancel).ConfigureAwait(false);
                if ((int)answer.StatusCode == 200) return;
                last = $"the last answer was {(int)answer.StatusCode}";
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
            catch (TaskCanceledException) when (!cancel.IsCancellationRequested)
            {
                last = "the last request got no answer within 5 s";
            }
        }
        throw new CommandException($"{page} did not answer with 200 within {patience.TotalSeconds:0} s: {last}",
            "See the logs, and `lateen ps` for what runs.");
    }
}
