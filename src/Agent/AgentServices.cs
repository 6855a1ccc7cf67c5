using Lateen.Agent.Bootstrap;
using Lateen.Agent.Discovery;
using Lateen.Agent.Dns;
using Lateen.Agent.Secrets;
using Lateen.Proxy.Net;

namespace Lateen.Agent;

/// <summary>What an agent does for its proxy on the proxy's main loop: identity and secrets, the way to the control plane, names.</summary>
public sealed class AgentServices
{
    private readonly EventLoop _loop;
    private readonly AgentOptions _options;
    private readonly ControlPlaneDoor _door;
    private readonly SecretServer _secrets;
    private readonly XdsRelay _relay;
    private readonly NameTableStream? _names;

    /// <summary>Puts them together.</summary>
    /// <param name="loop">The proxy's main loop.</param>
    /// <param name="options">Who we are.</param>
    /// <param name="names">The DNS proxy's table; null where there is none.</param>
    /// <param name="say">Takes a line for the log.</param>
    public AgentServices(EventLoop loop, AgentOptions options, DnsTable? names, Action<string> say)
    {
        (_loop, _options) = (loop, options);
        DoorTarget target = DoorTarget.Parse(options.Discovery);
        IdentityOptions identity = options.Identity;
        DoorTarget authority = identity.AuthorityAddress.Length > 0 ? DoorTarget.Parse(identity.AuthorityAddress) : target;
        // There is no authority behind the clear port.
        Identity = new WorkloadIdentity(loop, identity, $"spiffe://{options.Domain}/ns/{options.Namespace}/sa/{options.ServiceAccount}", authority.IsSecure ? AuthorityDoor(authority) : null, say);
        _door = new ControlPlaneDoor(loop, target, target.IsSecure ? new DoorSecurity(DoorSecurity.ServerNameOf(target, identity.ServerName), () => Identity.RootsPem, () => Identity.Secret) : null);
        _secrets = new SecretServer(new SecretShelf(loop, Identity));
        _relay = new XdsRelay(_door, CanCall);
        _names = names is null ? null : new NameTableStream(loop, options, _door, names);
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
        WorkloadSecret? provisioned = _options.Identity.ProvisionedFolder is { Length: > 0 } folder ? WorkloadSecret.ReadFolder(folder) : null;
        return new ControlPlaneDoor(_loop, authority, new DoorSecurity(DoorSecurity.ServerNameOf(authority, _options.Identity.ServerName), () => Identity.RootsPem,
            () => Identity.Token() is null ? Identity.Secret ?? provisioned : null));
    }

    private void Begin(Action<string> failed)
    {
        try
        {
            Identity.Start();
            _secrets.Listen(_loop, Address.Unix(_options.Identity.Socket));
            _relay.Listen(_loop, Address.Unix(BootstrapText.XdsSocket));
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
