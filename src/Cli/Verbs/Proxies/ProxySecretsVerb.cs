using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;

namespace Lateen.Cli.Verbs.Proxies;

/// <summary>`lateen proxy-config secret PROXY`: the certificates that a proxy has, and how long they are good. Private keys never leave the
/// proxy.</summary>
internal static class ProxySecretsVerb
{
    private const string Page = "config_dump?resource=dynamic_active_secrets";
    private static readonly string[] Columns = ["RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE",
        "NAMES"];

    public static Command Command(Terminal terminal)
    {
        var name = new Argument<string>("proxy") { Description = "the proxy or its workload" };
        Option<string?> state = Shared.State();
        Option<string> output = Shared.Output("json");
        var secret = new Command("secret", "Show the certificates that a proxy has") { name, output, state };
        secret.Aliases.Add("s");
        secret.SetAction(async (parsed, cancel) =>
        {
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            string proxy = ProxyNames.One(await mesh.ProxiesAsync(cancel), parsed.GetRequiredValue(name), terminal).Name;
            (_, string text) = await mesh.AdminPageAsync(proxy, Page, cancel);
            if (parsed.GetRequiredValue(output) == "json") terminal.Line(text);
            else Print(terminal, JsonNode.Parse(text)?["configs"] as JsonArray ?? [], TimeProvider.System.GetUtcNow());
            return 0;
        });
        var command = new Command("proxy-config", "Look at what a proxy has") { secret };
        command.Aliases.Add("pc");
        return command;
    }

    private static void Print(Terminal terminal, JsonArray secrets, DateTimeOffset now)
    {
        var table = new ColumnTable(Columns);
        foreach (JsonNode? config in secrets)
        {
            string name = config?["name"]?.ToString() ?? "";
            JsonNode? secret = config?["secret"];
            bool isRoot = secret?["validation_context"] is not null;
            JsonNode? source = isRoot ? secret?["validation_context"]?["trusted_ca"] : secret?["tls_certificate"]?["certificate_chain"];
            foreach (X509Certificate2 certificate in Certificates(source).Take(isRoot ? int.MaxValue : 1))
            {
                using (certificate) table.Row(Row(name, isRoot, certificate, now));
            }
        }
        table.Print(terminal);
    }

    private static Cell[] Row(string name, bool isRoot, X509Certificate2 certificate, DateTimeOffset now)
    {
        bool isGood = certificate.NotBefore.ToUniversalTime() <= now && now < certificate.NotAfter.ToUniversalTime();
        return
        [
            name, isRoot ? "CA" : "Cert Chain", "ACTIVE", new(isGood ? "true" : "false", isGood ? Tone.Good : Tone.Bad),
            certificate.SerialNumber.ToLowerInvariant(),
            Time(certificate.NotAfter), Time(certificate.NotBefore), Names(certificate),
        ];
    }

    private static string Time(DateTime at) => at.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Names(X509Certificate2 certificate)
    {
        IReadOnlyList<string> uris = Citadel.Callers.PeerCertificates.NamesOf(certificate);
        return uris.Count > 0 ? string.Join(", ", uris) : certificate.Subject;
    }

    private static IEnumerable<X509Certificate2> Certificates(JsonNode? source)
    {
        string pem = source?["inline_bytes"]?.ToString() is { } bytes
            ? Encoding.UTF8.GetString(Convert.FromBase64String(bytes)) : source?["inline_string"]?.ToString() ?? "";
        var all = new X509Certificate2Collection();
        try { all.ImportFromPem(pem); }
        catch (CryptographicException) { }
        return all;
    }
}
