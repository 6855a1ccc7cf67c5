using System.Collections.Concurrent;
using Lateen.Citadel.Tokens;

namespace Lateen.Cli.Up;

/// <summary>The tokens by which workloads prove who they are when they ask for their first certificate: what Kubernetes mounts into pods,
/// written by this process.</summary>
internal sealed class WorkloadTokens : IDisposable
{
    // Kubernetes' kubelet writes a new one when a fifth of the old one's life is left.
    private static readonly TimeSpan Every = TokenIssuer.Life * 0.8;
    private readonly TokenIssuer _issuer;
    private readonly ConcurrentDictionary<Workload, bool> _workloads = [];
    private readonly Timer _timer;

    private WorkloadTokens(TokenIssuer issuer)
    {
        _issuer = issuer;
        _timer = new Timer(_ => Renew(), null, Every, Every);
    }

    /// <summary>Tokens signed with a folder's key.</summary>
    /// <exception cref="IOException">The folder can't be used.</exception>
    public static WorkloadTokens Open(string folder) => new(TokenIssuer.Open(folder));

    /// <summary>Gives a workload its token, and new ones from then on.</summary>
    public void Add(Workload workload)
    {
        Write(workload);
        _workloads[workload] = true;
    }

    /// <summary>A workload has gone.</summary>
    public void Remove(Workload workload) => _workloads.TryRemove(workload, out _);

    public void Dispose()
    {
        _timer.Dispose();
        _issuer.Dispose();
    }

    private void Renew()
    {
        foreach (Workload workload in _workloads.Keys)
        {
            try { Write(workload); }
            catch (IOException)
            {
                // Its folder has gone with it; the next turn does without it.
            }
        }
    }

    private void Write(Workload workload)
    {
        string path = Path.Combine(workload.Folder, Workload.TokenFile), fresh = path + ".new";
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.Delete(fresh);
        using (var file = new StreamWriter(
            new FileStream(fresh, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            })))
            file.Write(_issuer.Issue(workload.Plan.Namespace, workload.Plan.ServiceAccount, workload.Plan.Name,
                TimeProvider.System.GetUtcNow()));
        File.Move(fresh, path, overwrite: true);
    }
}
