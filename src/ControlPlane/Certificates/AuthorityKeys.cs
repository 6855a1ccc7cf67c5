using Lateen.Citadel.Authorities;

namespace Lateen.ControlPlane.Certificates;

/// <summary>
/// The keys of the authority on disk: those an administrator plugged in, read again when they change, or a root of our own in the state
/// folder, rotated before it ends.
/// </summary>
public sealed class AuthorityKeys : IDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);
    private readonly KeyFolder _folder;
    private readonly bool _isPlugged;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly ITimer _timer;
    private string _lastProblem = "";

    private AuthorityKeys(Authority authority, KeyFolder folder, bool isPlugged, TimeProvider time, Action<string> say)
    {
        (Authority, _folder, _isPlugged, _time, _say) = (authority, folder, isPlugged, time, say);
        TimeSpan every = isPlugged ? Look : authority.Options.RootCheck;
        // Replicas that began together must not rotate together.
        TimeSpan first = isPlugged ? every : every * (0.5 + Random.Shared.NextDouble());
        _timer = time.CreateTimer(_ => Check(), null, first, every);
    }

    /// <summary>Signs with these keys.</summary>
    public Authority Authority { get; }

    /// <summary>A file with the roots that workloads trust.</summary>
    public string RootsPath => _folder.RootsPath;

    /// <summary>Opens the plugged-in keys where there are some, else our own.</summary>
    /// <param name="plugged">The folder for plugged-in keys (Istio's `cacerts`); null for none.</param>
    /// <param name="own">The folder for keys that are made here.</param>
    /// <param name="organization">Whose root it is, when one is made: the trust domain.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Takes a line for the log.</param>
    /// <exception cref="IOException">There are keys that can't be used; the message says why.</exception>
    public static AuthorityKeys Open(string? plugged, string own, string organization, AuthorityOptions options, TimeProvider time,
        Action<string> say)
    {
        if (plugged is not null && new KeyFolder(plugged) is { HasKeys: true } foreign)
            return new(new Authority(Read(foreign, plugged), options), foreign, isPlugged: true, time, say);
        var folder = new KeyFolder(own);
        if (!folder.HasKeys) folder.Write(RootRotation.First(organization, options, time.GetUtcNow()));
        return new(new Authority(Read(folder, own), options), folder, isPlugged: false, time, say);
    }

    /// <summary>Does what is due: reads plugged-in keys again, or rotates a root of our own.</summary>
    public void Check()
    {
        try
        {
            if (_isPlugged) Reload();
            else if (RootRotation.IsDue(Authority.Bundle, Authority.Options, _time.GetUtcNow())) Rotate();
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            Say($"the authority's keys: {refused.Message}");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private void Rotate()
    {
        SigningBundle next = RootRotation.Next(Authority.Bundle, Authority.Options, _time.GetUtcNow());
        // Written first: who reads the file trusts the new root before anything is signed with it.
        _folder.Write(next);
        Authority.Replace(next);
        _say($"info\tcitadel\tthe root certificate was rotated; {next.Roots.Count} are trusted, the newest "
            + $"until {next.Signer.NotAfter.ToUniversalTime():u}");
    }

    private void Reload()
    {
        if (_folder.Read(out string? problem) is not { } fresh)
        {
            Say($"the plugged-in keys can't be used, the last good ones stay: {problem}");
            return;
        }
        if (!KeyReload.IsChange(Authority.Bundle, fresh)) return;
        if (KeyReload.Problem(Authority.Bundle, fresh, _time.GetUtcNow()) is { } unfit)
        {
            Say($"the plugged-in keys are not taken up: {unfit}");
            return;
        }
        _lastProblem = "";
        Authority.Replace(fresh);
        _say($"info\tcitadel\tplugged-in keys were read again; {fresh.Roots.Count} roots are trusted");
    }

    // Looked at every few seconds: said once.
    private void Say(string problem)
    {
        if (problem == _lastProblem) return;
        _lastProblem = problem;
        _say($"error\tcitadel\t{problem}");
    }

    private static SigningBundle Read(KeyFolder folder, string path) =>
        folder.Read(out string? problem) ?? throw new IOException($"the authority's keys in {path} can't be used: {problem}");
}
