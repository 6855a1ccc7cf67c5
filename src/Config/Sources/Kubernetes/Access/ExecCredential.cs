using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Lateen.Config.Sources.Kubernetes.Access;

/// <summary>The <c>exec</c> of a kubeconfig's user: a program that prints a credential (client.authentication.k8s.io).</summary>
public sealed record ExecPlugin
{
    /// <summary>v1 or v1beta1, with the group.</summary>
    public required string ApiVersion { get; init; }

    public required string Command { get; init; }

    public IReadOnlyList<string> Arguments { get; init; } = [];

    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = [];

    /// <summary>What to tell when the program is not there.</summary>
    public string InstallHint { get; init; } = "";

    /// <summary>The cluster as the program is told about it; null when it does not ask.</summary>
    public JsonObject? Cluster { get; init; }

    /// <summary>Where relative commands start.</summary>
    public string Folder { get; init; } = "";
}

/// <summary>Runs the program when there is no credential, when the one there is expires, and when the server refused it.</summary>
public sealed class ExecCredential(ExecPlugin plugin, TimeProvider time) : ICredentialSource
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Early = TimeSpan.FromSeconds(10);
    private readonly Lock _starting = new();
    private Task<Issued>? _current;

    private sealed record Issued(Credential Credential, DateTimeOffset? Expires, DateTimeOffset At);

    public async ValueTask<Credential> CurrentAsync(bool refused, CancellationToken cancel)
    {
        Task<Issued> current;
        lock (_starting)
        {
            // Many requests may want one at once: one run answers them all.
            current = _current is { } known && !IsOver(known, refused) ? known : _current = RunAsync();
        }

        return (await current.WaitAsync(cancel).ConfigureAwait(false)).Credential;
    }

    private bool IsOver(Task<Issued> run, bool refused)
    {
        if (!run.IsCompleted) return false;
        var now = time.GetUtcNow();
        return !run.IsCompletedSuccessfully || run.Result.Expires <= now + Early
            || (refused && now - run.Result.At >= TimeSpan.FromSeconds(1));
    }

    /// <summary>What the program is told: what it may print, that nobody sits there to answer, and the cluster if it asked.</summary>
    internal static string Question(ExecPlugin plugin)
    {
        var spec = new JsonObject { ["interactive"] = false };
        if (plugin.Cluster is { } cluster) spec["cluster"] = cluster.DeepClone();
        return new JsonObject { ["apiVersion"] = plugin.ApiVersion, ["kind"] = "ExecCredential", ["spec"] = spec }.ToJsonString();
    }

    /// <summary>The credential that a program printed.</summary>
    /// <exception cref="CredentialException">It is none.</exception>
    internal (Credential Credential, DateTimeOffset? Expires) Read(string printed)
    {
        try
        {
            var root = JsonNode.Parse(printed) as JsonObject;
            if (root?["kind"]?.GetValue<string>() != "ExecCredential" || root["status"] is not JsonObject status)
            {
                throw new CredentialException($"{plugin.Command} printed no ExecCredential with a status");
            }

            if (root["apiVersion"]?.GetValue<string>() is var version && version != plugin.ApiVersion)
            {
                throw new CredentialException(
                    $"{plugin.Command} printed an ExecCredential of {version}, asked for was {plugin.ApiVersion}");
            }

            var token = status["token"]?.GetValue<string>();
            var certificate = CertificateOf(status["clientCertificateData"]?.GetValue<string>(),
                status["clientKeyData"]?.GetValue<string>());
            if (token is null && certificate is null)
                throw new CredentialException($"{plugin.Command} printed neither a token nor a client certificate");
            var until = status["expirationTimestamp"]?.GetValue<string>();
            return (new Credential(token is null ? null : "Bearer " + token, certificate),
                until is null ? null : DateTimeOffset.Parse(until, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or CryptographicException)
        {
            throw new CredentialException($"{plugin.Command} printed something that is no ExecCredential: {e.Message}", e);
        }
    }

    private static X509Certificate2? CertificateOf(string? certificate, string? key) =>
        certificate is null || key is null ? null : Pem.WithKey(certificate, key);

    private async Task<Issued> RunAsync()
    {
        var (credential, expires) = Read(await PrintedAsync().ConfigureAwait(false));
        return new Issued(credential, expires, time.GetUtcNow());
    }

    private async Task<string> PrintedAsync()
    {
        var start = new ProcessStartInfo(Program(), plugin.Arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
        };
        foreach (var (name, value) in plugin.Environment) start.Environment[name] = value;
        start.Environment["KUBERNETES_EXEC_INFO"] = Question(plugin);
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            using var process = Process.Start(start) ?? throw new CredentialException($"{plugin.Command} did not start");
            return await OutputAsync(process, patience.Token).ConfigureAwait(false);
        }
        catch (Win32Exception e)
        {
            var hint = plugin.InstallHint.Length > 0 ? ". " + plugin.InstallHint.Trim() : "";
            throw new CredentialException($"the credential plugin {plugin.Command} cannot be run: {e.Message}{hint}", e);
        }
        catch (OperationCanceledException e)
        {
            throw new CredentialException($"the credential plugin {plugin.Command} printed nothing within {Patience.TotalSeconds:0} s", e);
        }
    }

    private async Task<string> OutputAsync(Process process, CancellationToken patience)
    {
        process.StandardInput.Close();
        try
        {
            var (said, complained) = (process.StandardOutput.ReadToEndAsync(patience), process.StandardError.ReadToEndAsync(patience));
            await process.WaitForExitAsync(patience).ConfigureAwait(false);
            var text = await said.ConfigureAwait(false);
            return process.ExitCode == 0
                ? text
                : throw new CredentialException(
                    $"the credential plugin {plugin.Command} ended "
                    + $"with {process.ExitCode}: {(await complained.ConfigureAwait(false)).Trim()}");
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>A command with a slash is relative to the kubeconfig's folder; one without is looked for on the PATH.</summary>
    private string Program() => plugin.Command.Contains('/', StringComparison.Ordinal) && plugin.Folder.Length > 0
        ? Path.Combine(plugin.Folder, plugin.Command) : plugin.Command;
}
