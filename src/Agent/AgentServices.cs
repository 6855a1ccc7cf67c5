using Lateen.Agent.Discovery;
using Lateen.Agent.Dns;
using Lateen.Agent.Secrets;
using Lateen.Proxy.Net;

namespace Lateen.Agent;

/// <summary>Where an agent serves its proxy, and how it reads files: sockets and a disk, or places of the in-memory network.</summary>
/// <param name="Secrets">SDS.</param>
/// <param name="Discovery">The way to the control plane.</param>
/// <param name="Read">Reads a file; null where there is none.</param>
public sealed record AgentPlaces(Address Secrets, Address Discovery, Func<string, string?> Read);

/// <summary>What an agent does for its proxy on an event loop: identity and secrets, the way to the control plane, names.</summary>
public sealed class AgentServices
{
    private readonly EventLoop _loop;
    private readonly AgentOptions _options;
    private readonly AgentPlaces _places;
    private readonly ControlPlaneDoor _door;
    private readonly SecretServer _secrets;
    private readonly XdsRelay _relay;
    private readonly NameTableStream? _names;

    /// <summary>Puts them together.</summary>
    /// <param name="loop">The proxy's main loop.</param>
    /// <param name="options">Who we are.</param>
    /// <param name="places">Where the proxy is served.</param>
    /// <param name="names">The DNS proxy's table; null where there is none.</param>
    /// <param name="say">Takes a line for the log.</param>
    public AgentServices(EventLoop loop, AgentOptions options, AgentPlaces places, DnsTable? names, Action<string> say)
    {
        (_loop, _options, _places) = (loop, options, places);
        DoorTarget target = DoorTarget.Parse(options.Discovery);
        IdentityOptions identity = options.Identity;
        DoorTarget authority = identity.AuthorityAddress.Length > 0 ? DoorTarget.Parse(identity.AuthorityAddress) : target;
        // There is no authority behind the clear port.
        Identity = new WorkloadIdentity(loop, identity, $"spiffe://{options.Domain}/ns/{options.Namespace}/sa/{options.ServiceAccount}",
            authority.IsSecure ? AuthorityDoor(authority) : null, places.Read, say);
        _door = new ControlPlaneDoor(loop, target,
            target.IsSecure
                ? new DoorSecurity(DoorSecurity.ServerNameOf(target, identity.ServerName), () => Identity.RootsPem, () => Identity.Secret)
                : null);
        _secrets = new SecretServer(new SecretShelf(loop, Identity, places.Read));
        _relay = new XdsRelay(_door, CanCall);
        _names = names is null ? null : new NameTableStream(loop, options, _door, CanCall, names);
        Identity.Listen(_relay.Retry);
    }

    /// <summary>The workload's identity.</summary>
    public WorkloadIdentity Identity { get; }

    /// <summary>Begins, from any thread. <paramref name="failed"/> hears why a socket can't be made.</summary>
    public void Start(Action<string> failed) => _loop.Post(new Beginning(this, failed));

    private bool CanCall() => _door.Security is null || (Identity.Secret is not null && Identity.RootsPem.Length > 0);

    // With a token the certificate is not shown: one that has expired would end a handshake that the token could have saved.
    private ControlPlaneDoor AuthorityDoor(DoorTarget authority)
    {
        WorkloadSecret? provisioned = _options.Identity.ProvisionedFolder is { Length: > 0 } folder
            ? WorkloadSecret.ReadFolder(folder, _places.Read) : null;
        return new ControlPlaneDoor(_loop, authority,
            new DoorSecurity(DoorSecurity.ServerNameOf(authority, _options.Identity.ServerName), () => Identity.RootsPem,
                () => Identity.Token() is null ? Identity.Secret ?? provisioned : null));
    }

    private void Begin(Action<string> failed)
    {
        try
        {
            Identity.Start();
            _secrets.Listen(_loop, _places.Secrets);
            _relay.Listen(_loop, _places.Discovery);
            _names?.Start();
        }
        catch (ListenException refused)
        {
            failed(refused.Message);
        }
    }

    private sealed class Beginning(AgentServices services, Action<string> failed) : Letter
    {
        protected override void Deliver() => services.Begin(failed);
    }
}
