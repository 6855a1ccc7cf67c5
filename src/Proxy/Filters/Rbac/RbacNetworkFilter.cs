using Lateen.Proxy.Net;
using Lateen.Proxy.Tcp;

namespace Lateen.Proxy.Filters.Rbac;

/// <summary>RBAC for connections: judged with the first bytes (or the client's end), once or each time; a denied connection is closed,
/// perhaps after a while.</summary>
/// <param name="settings">Policies.</param>
/// <param name="continuous">Each time bytes come, not only the first.</param>
/// <param name="delayMicros">How long a denied connection is held.</param>
/// <param name="stats">Its counters.</param>
public sealed class RbacNetworkFilter(RbacSettings settings, bool continuous, long delayMicros, RbacStats stats) : NetworkFilterFactory
{
    private const string Namespace = "envoy.filters.network.rbac";

    /// <inheritdoc/>
    public override NetworkFilter? Create(TcpSession session) =>
        settings.Rules is null && settings.Shadow is null ? null : new Guard(stats, settings, continuous, delayMicros);

    private sealed class Guard(RbacStats stats, RbacSettings settings, bool continuous, long delayMicros) : NetworkFilter
    {
        private Refusal? _refusal;
        private bool _judged;

        public override NetworkVerdict OnData(TcpSession session, ref ReadOnlySpan<byte> bytes)
        {
            if (_judged && !continuous)
                return NetworkVerdict.Continue;
            if (!_judged && settings.Shadow is { } shadow)
                Note(session, shadow);
            _judged = true;
            RbacPolicy? policy = null;
            bool allowed = settings.Rules?.Allows(session.Facts, out policy) ?? true;
            stats.Count(session.Connection.Worker.Index, allowed);
            if (settings.Rules is { Logs: true })
                session.Facts.DynamicMetadata = (policy is { Action: RbacAction.Log }
                    ? RbacFilter.Hint : RbacFilter.NoHint).Over(session.Facts.DynamicMetadata);
            settings.Rules?.Audit?.Decided(session.Connection.Worker, session.Facts, policy, allowed);
            if (allowed)
                return NetworkVerdict.Continue;
            if (delayMicros <= 0)
            {
                session.Deny(policy?.DeniedDetails ?? RbacJudge.NoneDetails, "rbac_deny_close");
                return NetworkVerdict.Close;
            }
            session.Connection.Worker.Loop.Arm(_refusal = new Refusal(session, policy), delayMicros);
            return NetworkVerdict.Wait;
        }

        private void Note(TcpSession session, RbacJudge shadow)
        {
            bool allowed = shadow.Allows(session.Facts, out RbacPolicy? policy);
            stats.CountShadow(session.Connection.Worker.Index, allowed);
            var values = new Dictionary<string, string> { [settings.ShadowPrefix + "shadow_engine_result"] = allowed
                ? "allowed" : "denied" };
            if (policy is not null)
                values[settings.ShadowPrefix + "shadow_effective_policy_id"] = policy.Name;
            session.Facts.AddMetadata(Namespace, values);
        }

        public override void OnEnd(TcpSession session)
        {
            if (_refusal is not null)
                session.Connection.Worker.Loop.Disarm(_refusal);
        }
    }

    private sealed class Refusal(TcpSession session, RbacPolicy? policy) : Deadline
    {
        protected internal override void OnDue(long now) => session.Deny(policy?.DeniedDetails ?? RbacJudge.NoneDetails, "rbac_deny_close");
    }
}
