using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Istio.V1.Auth;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Live;

/// <summary>The reviews and signing requests of the recording, sent to the doors themselves, so that what is counted of them can be looked
/// at.</summary>
internal static class LiveCallers
{
    /// <summary>Sends all of them.</summary>
    public static void Call(LiveStand stand, string folder)
    {
#pragma warning disable CA5359 // It is the answers that count.
        using var client = new HttpClient(
            new SocketsHttpHandler
            {
                UseProxy = false,
                SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
            });
#pragma warning restore CA5359
        foreach (string table in new[] { "validate.json", "inject.json" })
            foreach (JsonElement row in Rows(folder, table)) Review(client, stand, row, table);
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(stand.Roots);
        using var workload = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false, SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = policy },
            ConnectCallback = async (_, cancel) =>
            {
                var connection = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                await connection.ConnectAsync(IPEndPoint.Parse(stand.At.SecureGrpc), cancel);
                return new NetworkStream(connection, ownsSocket: true);
            },
        });
        foreach (JsonElement row in Rows(folder, "ca.json")) Sign(workload, stand, row.GetProperty("request"));
    }

    private static JsonElement[] Rows(string folder, string table)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, table)));
        return [.. document.RootElement.GetProperty("cases").Clone().EnumerateArray()];
    }

    private static void Review(HttpClient client, LiveStand stand, JsonElement row, string table)
    {
        string body = row.TryGetProperty("rawRequest", out JsonElement raw) ? raw.GetString()! : row.GetProperty("request").GetRawText();
        string path = row.TextOrNull("path") ?? (table == "inject.json" ? "/inject" : "/validate");
        using var content = new StringContent(body, Encoding.UTF8);
        content.Headers.ContentType = new MediaTypeHeaderValue(row.TextOrNull("requestContentType") ?? "application/json");
        using HttpResponseMessage answer = client.PostAsync($"https://{stand.At.Https}{path}", content).GetAwaiter().GetResult();
    }

    private static void Sign(HttpClient client, LiveStand stand, JsonElement asked)
    {
        var message = new IstioCertificateRequest
        {
            Csr = asked.TryGetProperty("csr", out JsonElement raw)
                ? raw.GetString() : Security.SigningRequests.Make(asked.Text("csrKey"), []),
            ValidityDuration = asked.TryGetProperty("validityDurationSeconds", out JsonElement seconds) ? seconds.GetInt64() : 0,
        };
        byte[] frame = [0, 0, 0, 0, 0, .. message.ToByteArray()];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), frame.Length - 5);
        using var request = new HttpRequestMessage(HttpMethod.Post,
            "https://istiod.istio-system.svc/istio.v1.auth.IstioCertificateService/CreateCertificate")
        {
            Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new ByteArrayContent(frame),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.ParseAdd("trailers");
        if (asked.Text("token") != "none") request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", stand.Token);
        using HttpResponseMessage answer = client.SendAsync(request).GetAwaiter().GetResult();
    }
}
