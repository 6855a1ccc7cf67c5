// CredentialInjector: gives requests a credential of the workload before they leave (envoy.extensions.filters.http.credential_injector.v3).
// The credential is a secret by name, renewed as secrets are; workers read the one reference that holds it. It is never logged, and never
// sent where the application brought its own, unless told to overwrite.
// Refused by name: OAuth2 client credentials.
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.CredentialInjector;

/// <summary>A secret text that may come late and change.</summary>
public sealed class SecretText
{
    private byte[]? _bytes;

    /// <summary>The text; null before it came. Published by the main loop, read by workers.</summary>
    public byte[]? Bytes
    {
        get => Volatile.Read(ref _bytes);
        set => Volatile.Write(ref _bytes, value);
    }
}

/// <summary>What is injected.</summary>
/// <param name="Header">The header's name in lower case.</param>
/// <param name="Secret">Its value.</param>
/// <param name="Overwrite">A header of the request is replaced.</param>
/// <param name="AllowWithout">While there is no credential, requests go on without; else they are refused.</param>
public sealed record InjectedCredential(byte[] Header, SecretText Secret, bool Overwrite, bool AllowWithout);

/// <summary>The filter.</summary>
public sealed class CredentialInjectorFilter(string name, InjectedCredential credential) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead;

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        InjectedCredential own = slot.Settings as InjectedCredential ?? credential;
        HeaderMap head = slot.Exchange.RequestHead;
        if (!own.Overwrite && head.TryGet(own.Header, out _))
            return FilterVerdict.Continue;
        if (own.Secret.Bytes is { Length: > 0 } secret)
        {
            head.Set(own.Header, secret);
            return FilterVerdict.Continue;
        }
        if (own.AllowWithout)
            return FilterVerdict.Continue;
        slot.Exchange.Reply(new LocalReply(401, "failed_to_inject_credential") { Body = "Failed to inject credential."u8 });
        return FilterVerdict.Stop;
    }
}
