using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.ControlPlane;

namespace Lateen.Cli.Up;

/// <summary>
/// The folder of a mesh: the control plane's journal and address, what the cluster says (cluster/), logs (logs/), each workload's files
/// (workloads/), and the lock of the `lateen up` that runs.
/// </summary>
public sealed class MeshState : IDisposable
{
    private readonly FileStream _lock;

    private MeshState(string folder, FileStream held) => (Folder, _lock) = (folder, held);

    public string Folder { get; }

    public string Cluster => Path.Combine(Folder, "cluster");

    public string Logs => Path.Combine(Folder, "logs");

    /// <summary>The socket on which the control plane serves xDS to this machine's agents.</summary>
    public string XdsSocket => Path.Combine(Folder, "xds.sock");

    /// <summary>The socket on which it serves xDS and certificates over TLS: sidecars reach it from every network.</summary>
    public string SecureSocket => Path.Combine(Folder, "tls.sock");

    /// <summary>The folder of the authority's keys, and of the key that signs tokens.</summary>
    public string Authority => Path.Combine(Folder, "ca");

    /// <summary>The socket on which `lateen up` answers `run`, `ps` and `logs`.</summary>
    public static string ControlSocket(string folder) => Path.Combine(folder, "up.sock");

    /// <summary>Takes the folder for this process, and makes what is missing in it.</summary>
    /// <exception cref="CommandException">Another one has it, or it cannot be written.</exception>
    public static MeshState Take(string folder)
    {
        folder = Path.GetFullPath(folder);
        try
        {
            Directory.CreateDirectory(folder);
            string path = Path.Combine(folder, "lock");
            FileStream held;
            try
            {
                held = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (File.Exists(path))
            {
                throw new CommandException($"another `lateen up` runs with the state folder {folder}",
                    "End it with Ctrl-C where it runs, or choose another folder with --state.");
            }
            var state = new MeshState(folder, held);
            // What the last mesh said of itself and of its workloads no longer holds; what users applied is the control plane's and stays.
            if (Directory.Exists(state.Cluster)) Directory.Delete(state.Cluster, recursive: true);
            File.Delete(Path.Combine(folder, ControlPlaneAddress.FileName));
            File.Delete(state.XdsSocket);
            File.Delete(state.SecureSocket);
            File.Delete(ControlSocket(folder));
            Directory.CreateDirectory(state.Cluster);
            Directory.CreateDirectory(state.Logs);
            return state;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"the state folder {folder} cannot be used: {Reason(refused)}", "Choose another one with --state.");
        }
    }

    /// <summary>A workload's own folder, empty of what an earlier run left.</summary>
    public string WorkloadFolder(string name)
    {
        string folder = Path.Combine(Folder, "workloads", name);
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        return folder;
    }

    public string Log(string name) => Path.Combine(Logs, name + ".log");

    /// <summary>Writes one file of the cluster's resources, so that a reader never sees half of it; unchanged text is left alone.</summary>
    public void WriteCluster(string name, IEnumerable<JsonObject> resources)
    {
        string path = Path.Combine(Cluster, name + ".yaml"), fresh = Path.Combine(Folder, name + ".new");
        string text = string.Join("\n---\n", resources.Select(r => r.ToJsonString()));
        if (File.Exists(path) && File.ReadAllText(path) == text) return;
        File.WriteAllText(fresh, text);
        File.Move(fresh, path, overwrite: true);
    }

    /// <summary>Small facts that the next `up` goes on from: by name.</summary>
    public JsonObject Memory()
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "up.json"))) as JsonObject ?? [];
        }
        catch (Exception missing) when (missing is IOException or JsonException)
        {
            return [];
        }
    }

    /// <summary>Keeps what <see cref="Memory"/> will give.</summary>
    public void Remember(JsonObject memory)
    {
        string fresh = Path.Combine(Folder, "up.json.new");
        File.WriteAllText(fresh, memory.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        File.Move(fresh, Path.Combine(Folder, "up.json"), overwrite: true);
    }

    public void Dispose() => _lock.Dispose();

    private static string Reason(Exception refused) => refused switch
    {
        UnauthorizedAccessException => "its rights do not allow it",
        { HResult: 28 } => "the disk is full",
        DirectoryNotFoundException or FileNotFoundException => "it cannot be made there",
        _ when refused.Message.Contains("already exists", StringComparison.Ordinal) => "a file of that name is in the way",
        _ => refused.Message.TrimEnd('.'),
    };
}
