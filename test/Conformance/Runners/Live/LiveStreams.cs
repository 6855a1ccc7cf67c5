using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Envoy.Config.Core.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Grpc;
using Lateen.Test.Conformance.Runners.Names;
using Lateen.Test.Rigs.Discovery;

namespace Lateen.Test.Conformance.Runners.Live;

/// <summary>Plays <c>xds-auth</c>: for each row a stream with the recorded credentials.</summary>
internal sealed class LiveStreams(LiveStand stand)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(6);

    /// <summary>The first answer of a stream, or how it ended.</summary>
    public string? FirstAnswer(JsonElement row) => AnswerAsync(row).GetAwaiter().GetResult();

    private async Task<string?> AnswerAsync(JsonElement row)
    {
        JsonElement asked = row.GetProperty("request");
        (string Code, string Message) given;
        try
        {
            await using AdsClient client = await OpenAsync(row.Text("name"), asked);
            client.Send(new DiscoveryRequest
            {
                Node = NodeOf(asked),
                TypeUrl = asked.Text("typeUrl"),
                ResourceNames = { asked.Texts("resourceNames") },
            });
            DiscoveryResponse? first = await client.ReadAsync(DiscoveryResponse.Parser).WaitAsync(Patience);
            (string status, string message) = first is null ? client.Ending() : ("0", "");
            given = (NameOf(status), Uri.UnescapeDataString(message));
        }
        catch (TimeoutException)
        {
            given = (NameOf("4"), "");
        }
        catch (HttpRequestException unreachable) when (unreachable.HttpRequestError == HttpRequestError.SecureConnectionError)
        {
            given = (NameOf("14"), "");
        }
        // How many resources there are is the world's matter, and it had other pods while this was recorded.
        if (!row.TryGetProperty("error", out JsonElement error))
            return given.Code == NameOf("0") ? null : $"wanted an answer, given {given}";
        // Whose fault it is on the client's side is told in the client's words.
        bool isTheirs = error.Text("code") is "Unavailable" or "DeadlineExceeded";
        return string.Equals(error.Text("code"), given.Code, StringComparison.OrdinalIgnoreCase)
            && (isTheirs || error.Text("message") == given.Message) ? null : $"wanted {error}, given {given}";
    }

    private Task<AdsClient> OpenAsync(string name, JsonElement asked)
    {
        if (asked.Text("port") == "15010") return stand.OpenAsync();
        X509Certificate2Collection roots = asked.Text("port").EndsWith("-no-root", StringComparison.Ordinal) ? [] : stand.Roots;
        X509Certificate2? shown = asked.TextOrNull("clientCertificate") is { } identity ? stand.CertificateOf(identity) : null;
        string? token = asked.Text("token") == "none" ? null : name.Contains("garbage", StringComparison.Ordinal) ? "garbage" : stand.Token;
        return AdsClient.OpenSecureAsync(stand.At.SecureGrpc, AdsClient.StateOfTheWorld, new ClientProof(roots, token, shown));
    }

    private static Node NodeOf(JsonElement asked) =>
        new() { Id = asked.Text("nodeID"), Metadata = Struct.Parser.ParseJson(asked.GetProperty("metadata").GetRawText()) };

    private static string NameOf(string status) =>
        GrpcStatuses.NameOf((GrpcStatus)int.Parse(status, System.Globalization.CultureInfo.InvariantCulture))
            .Replace("_", "", StringComparison.Ordinal);
}
