using Istio.V1.Auth;
using Lateen.Agent.Discovery;
using Lateen.Proxy.Net;

namespace Lateen.Agent.Secrets;

/// <summary>
/// The workload's certificate and what it trusts: asks for the first one, renews it when half of its life is over, and goes on asking with
/// growing waits while the authority is away. What it had stays in use meanwhile. Runs on one loop.
/// </summary>
public sealed class WorkloadIdentity
{
    private const long FirstWaitMicros = 50_000, LongestLocalWaitMicros = 200_000, LongestWaitMicros = 30_000_000, LookMicros = 5_000_000,
        NewsAfterMicros = 5_000_000;
    private readonly EventLoop _loop;
    private readonly IdentityOptions _options;
    private readonly string _identity;
    private readonly ControlPlaneDoor? _authority;
    private readonly Action<string> _say;
    private readonly Func<string, string?> _read;
    private readonly Alarm _renewal, _look;
    private readonly List<Action> _listeners = [];
    private string _rootsOfFile = "", _rootsOfAuthority = "", _said = "";
    private WorkloadKey? _asking;
    private long? _failingSince;
    private long _wait = FirstWaitMicros;

    /// <summary>An identity that begins to be kept with <see cref="Start"/>.</summary>
    /// <param name="loop">Where it lives.</param>
    /// <param name="options">How it is kept.</param>
    /// <param name="identity">The SPIFFE identity that is hoped for.</param>
    /// <param name="authority">The way to the authority; null where there is none, and files are all there may be.</param>
    /// <param name="read">Reads a file; null where there is none.</param>
    /// <param name="say">Takes a line for the log.</param>
    public WorkloadIdentity(EventLoop loop, IdentityOptions options, string identity, ControlPlaneDoor? authority,
        Func<string, string?> read, Action<string> say)
    {
        (_loop, _options, _identity, _authority, _read, _say) = (loop, options, identity, authority, read, say);
        _renewal = new Alarm(Ask);
        _look = new Alarm(Look);
    }

    /// <summary>The secret of the moment; null before the first.</summary>
    public WorkloadSecret? Secret { get; private set; }

    /// <summary>PEM of all that is trusted; empty before anything is.</summary>
    public string RootsPem { get; private set; } = "";

    /// <summary>Why there is no certificate, or the last attempt failed; empty while all is well.</summary>
    public string Problem { get; private set; } = "";

    /// <summary>Certificates come from files that somebody else looks after.</summary>
    public bool IsMounted { get; private set; }

    /// <summary>Is told after each change, on the loop.</summary>
    public void Listen(Action changed) => _listeners.Add(changed);

    /// <summary>Forgets a listener.</summary>
    public void Unlisten(Action changed) => _listeners.Remove(changed);

    /// <summary>Begins. On the loop.</summary>
    public void Start()
    {
        Look();
        if (Secret is null && _authority is not null) Ask();
    }

    private DateTimeOffset Now => DateTimeOffset.UnixEpoch.AddTicks(_loop.WallClock * 10);

    // What lies in files may change without a word.
    private void Look()
    {
        _loop.Arm(_look, LookMicros);
        bool changed = LookAtRoots() | LookAtMounted();
        if (changed) Publish();
    }

    private bool LookAtRoots()
    {
        if (_read(_options.RootsFile) is not { } roots || roots == _rootsOfFile) return false;
        _rootsOfFile = roots;
        return true;
    }

    private bool LookAtMounted()
    {
        if (WorkloadSecret.ReadFolder(_options.MountedFolder, _read) is not { } mounted || mounted == Secret) return false;
        (Secret, IsMounted) = (mounted, true);
        _rootsOfAuthority = _read(Path.Combine(_options.MountedFolder, WorkloadSecret.RootFile)) ?? _rootsOfAuthority;
        _loop.Disarm(_renewal);
        return true;
    }

    private void Ask()
    {
        if (IsMounted || _authority is null) return;
        if (!_authority.CanOpen)
        {
            // A laptop's mesh starts all at once: the roots are written while sidecars already wait for them.
            if (LookAtRoots()) Publish();
            if (!_authority.CanOpen)
            {
                Failed("there is nobody to trust yet: " + _options.RootsFile + " is not there, or can't be read");
                return;
            }
        }
        WorkloadKey key = _asking ??= WorkloadKey.Make(_options, _identity);
        var request = new IstioCertificateRequest { Csr = key.RequestPem, ValidityDuration = (long)_options.Life.TotalSeconds };
        List<KeyValuePair<string, string>> headers =
            [.. _options.Headers.Select(static h => KeyValuePair.Create(h.Key.ToLowerInvariant(), h.Value))];
        if (Token() is { } token) headers.Add(new("authorization", "Bearer " + token));
        CertificateClient.Ask(_loop, _authority, request, headers, (chain, problem) => Take(key, chain, problem));
    }

    /// <summary>The token of the moment; null where there is none.</summary>
    internal string? Token() => _read(_options.TokenFile)?.Trim();

    private void Take(WorkloadKey key, IReadOnlyList<string>? chain, string problem)
    {
        if (IsMounted) return;
        WorkloadSecret? fresh = chain is { Count: > 1 }
            ? WorkloadSecret.Read(string.Concat(chain.SkipLast(1).Select(static pem => pem.TrimEnd() + "\n")), key.KeyPem) : null;
        if (fresh is null)
        {
            Failed(problem.Length > 0 ? problem : "the authority's certificates can't be read");
            return;
        }
        (Secret, _rootsOfAuthority, Problem, _said, _wait, _asking, _failingSince) =
            (fresh, chain![^1], "", "", FirstWaitMicros, null, null);
        _loop.Arm(_renewal, Math.Max(LongestWaitMicros / 30, RenewalMicros(fresh)));
        Publish();
        Output();
    }

    // Istio's rule: renewed when a part of its life is left, a little sooner or later by chance.
    private long RenewalMicros(WorkloadSecret secret)
    {
        double chance = (_loop.Chance.Below(2_000_001) / 1_000_000.0 - 1) * _options.GraceJitter;
        double ratio = Math.Clamp(_options.GraceRatio + chance, 0, 1);
        DateTimeOffset at = secret.Ends - ((secret.Ends - secret.Begins) * ratio);
        return (long)(at - Now).TotalMicroseconds;
    }

    private void Failed(string problem)
    {
        Problem = problem;
        // Full jitter: an authority that comes back must not meet its whole mesh at once. One on this machine has but a handful to meet,
        // and they wait to start.
        _loop.Arm(_renewal, FirstWaitMicros / 2 + _loop.Chance.Below((uint)_wait));
        _wait = Math.Min(_wait * 2, _authority is { IsLocal: true } && Secret is null ? LongestLocalWaitMicros : LongestWaitMicros);
        _failingSince ??= _loop.Now;
        if (_loop.Now - _failingSince < NewsAfterMicros || problem == _said) return; // a control plane that is just starting is no news
        _said = problem;
        _say($"no certificate: {problem}");
    }

    private void Publish()
    {
        RootsPem = RootCertificates.Union(_rootsOfFile, _rootsOfAuthority);
        foreach (Action listener in _listeners.ToArray()) listener();
    }

    private void Output()
    {
        if (_options.OutputFolder.Length == 0) return;
        try { Secret!.WriteFolder(_options.OutputFolder, RootsPem); }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            _say($"OUTPUT_CERTS {_options.OutputFolder}: {refused.Message}");
        }
    }

    private sealed class Alarm(Action due) : Deadline
    {
        protected override void OnDue(long now) => due();
    }
}
