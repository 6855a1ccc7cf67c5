using System.Text.Json;
using System.Text.Json.Serialization;

namespace Lateen.ControlPlane;

/// <summary>Where a running control plane listens: written into its state folder when it does, read by the verbs and the agents of this
/// machine.</summary>
/// <param name="Http">host:port of readiness, debug pages and the operator's API.</param>
/// <param name="Grpc">host:port of xDS in clear text.</param>
/// <param name="SecureGrpc">host:port of xDS and certificates over TLS.</param>
/// <param name="Monitoring">host:port of metrics.</param>
/// <param name="Token">What the operator's API asks for: who may read the state folder may change the mesh.</param>
/// <param name="ProcessId">The process that wrote it.</param>
public sealed record ControlPlaneAddress(string Http, string Grpc, string SecureGrpc, string Monitoring, string Token, int ProcessId)
{
    /// <summary>host:port of what API servers call; null where there is none.</summary>
    public string? Https { get; init; }

    /// <summary>The file's name inside the state folder.</summary>
    public const string FileName = "controlplane.json";

    /// <summary>Reads the address out of a state folder.</summary>
    /// <exception cref="IOException">There is none.</exception>
    /// <exception cref="JsonException">The file is damaged.</exception>
    public static ControlPlaneAddress Read(string stateFolder)
    {
        using FileStream file = File.OpenRead(Path.Combine(stateFolder, FileName));
        return JsonSerializer.Deserialize(file, AddressJson.Default.ControlPlaneAddress) ?? throw new JsonException("null");
    }

    /// <summary>Writes the address, readable by its owner alone, so that a reader never sees half of it.</summary>
    public void Write(string stateFolder)
    {
        Directory.CreateDirectory(stateFolder);
        string path = Path.Combine(stateFolder, FileName);
        string fresh = path + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var file = new FileStream(fresh, options)) JsonSerializer.Serialize(file, this, AddressJson.Default.ControlPlaneAddress);
        File.Move(fresh, path, overwrite: true);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ControlPlaneAddress))]
internal sealed partial class AddressJson : JsonSerializerContext;
