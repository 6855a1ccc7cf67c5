using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Tcp;

namespace Lateen.Proxy.Filters.ExtAuthz;

/// <summary>envoy.filters.network.ext_authz: the server is asked with a connection's first bytes; what comes meanwhile is held.</summary>
/// <param name="service">The server.</param>
/// <param name="failureModeAllow">Where it fails, the connection goes on.</param>
/// <param name="enabledMetadata">Only connections with this metadata are judged; null for all.</param>
/// <param name="stats">Its counters, <see cref="Schema"/>.</param>
public sealed class ExtAuthzNetworkFilter(AuthzService service, bool failureModeAllow, MetadataMatch? enabledMetadata, StatGroup stats)
    : NetworkFilterFactory
{
    private const string Namespace = "envoy.filters.network.ext_authz";

    private enum Counter : byte
    {
        CxClosed,
        Denied,
        Disabled,
        Error,
        FailureModeAllowed,
        Ok,
        Total,
        Active,
    }

    /// <summary>What is counted, under <c>ext_authz.PREFIX.</c>.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<Counter>(static c => c == Counter.Active ? StatKind.Gauge : StatKind.Counter);

    /// <inheritdoc/>
    public override NetworkFilter Create(TcpSession session) => new Guard(this, session);

    private bool FailureModeAllow => failureModeAllow;

    private MetadataMatch? EnabledMetadata => enabledMetadata;

    private void Count(TcpSession session, Counter counter) => stats.Of(session.Connection.Worker.Index).Count((int)counter);

    private void Move(TcpSession session, int by) => stats.Of(session.Connection.Worker.Index).Move((int)Counter.Active, by);

    private sealed class Guard : NetworkFilter
    {
        private readonly ExtAuthzNetworkFilter _owner;
        private readonly TcpSession _session;
        private readonly AuthzCall _call;
        private bool _asked, _asking;
        private long _askedAt;

        public Guard(ExtAuthzNetworkFilter owner, TcpSession session)
        {
            _owner = owner;
            _session = session;
            _call = owner.Service.NewCall(new Receiver(this));
        }

        public override NetworkVerdict OnData(TcpSession session, ref ReadOnlySpan<byte> bytes)
        {
            if (_asked)
                return _asking ? NetworkVerdict.Wait : NetworkVerdict.Continue;
            _asked = true;
            if (_owner.EnabledMetadata is { } wanted && !MetadataTest.Matches(wanted, session.Facts.DynamicMetadata))
            {
                _owner.Count(session, Counter.Disabled);
                return NetworkVerdict.Continue;
            }
            _asking = true;
            _owner.Count(session, Counter.Total);
            _owner.Move(session, 1);
            _askedAt = session.Connection.Worker.Loop.Now;
            _call.Ask(session);
            return NetworkVerdict.Wait;
        }

        public void OnAnswer(AuthzAnswer answer)
        {
            _asking = false;
            _owner.Move(_session, -1);
            switch (answer.Verdict)
            {
                case AuthzVerdict.Allowed:
                    _owner.Count(_session, Counter.Ok);
                    SetMetadata(answer);
                    _session.Resume();
                    break;
                case AuthzVerdict.Error when _owner.FailureModeAllow:
                    _owner.Count(_session, Counter.Error);
                    _owner.Count(_session, Counter.FailureModeAllowed);
                    _session.Resume();
                    break;
                default:
                    bool denied = answer.Verdict == AuthzVerdict.Denied;
                    _owner.Count(_session, denied ? Counter.Denied : Counter.Error);
                    _owner.Count(_session, Counter.CxClosed);
                    _session.Facts.Details = denied ? "ext_authz_denied" : "ext_authz_error";
                    _session.Deny("", "ext_authz_close", ResponseFlags.UnauthorizedExternalService);
                    break;
            }
        }

        private void SetMetadata(AuthzAnswer answer)
        {
            var values = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal)
            {
                ["ext_authz_duration"] = JsonSerializer.SerializeToElement((_session.Connection.Worker.Loop.Now - _askedAt) / 1000),
            };
            foreach ((string key, JsonElement value) in answer.Metadata ?? new Dictionary<string, JsonElement>())
                values[key] = value;
            _session.Facts.DynamicMetadata =
                Metadata.With(_session.Facts.DynamicMetadata, Namespace, JsonSerializer.SerializeToElement(values));
        }

        public override void OnEnd(TcpSession session)
        {
            if (!_asking)
                return;
            _asking = false;
            _owner.Move(session, -1);
            _call.Cancel();
        }
    }

    private AuthzService Service => service;

    private sealed class Receiver(Guard guard) : AuthzReceiver
    {
        public override void OnAnswer(AuthzAnswer answer) => guard.OnAnswer(answer);
    }
}
