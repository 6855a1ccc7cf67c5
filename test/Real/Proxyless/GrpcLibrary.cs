using System.Diagnostics;
using Lateen.Test.Rigs;

namespace Lateen.Test.Real.Proxyless;

/// <summary>A library of gRPC, with the script that makes servers and clients of it.</summary>
/// <param name="Program">What runs the script.</param>
/// <param name="Script">The script.</param>
/// <param name="Probe">Arguments with which the program succeeds where the library is there.</param>
/// <param name="Modules">A folder with modules; null where the program finds its own.</param>
/// <param name="Absence">Why a test passes over, where it is not there.</param>
public sealed record GrpcLibrary(string Program, string Script, IReadOnlyList<string> Probe, string? Modules, string Absence)
{
    /// <summary>gRPC's C core.</summary>
    public static readonly GrpcLibrary Python =
        new("/usr/bin/python3", At("echo.py"), ["-c", "import grpc"], null, "gRPC's library for Python is not installed (python3-grpcio)");

    /// <summary>gRPC's library in JavaScript alone.</summary>
    public static readonly GrpcLibrary Node =
        new("node", At("node", "echo.js"), ["-e", "require('@grpc/grpc-js-xds')"],
            Path.Combine(Repository.Root, ".build", "npm", "proxyless", "node_modules"),
            "gRPC's library for Node.js is not installed (node, npm; .ci/run puts it into .build/npm)");

    /// <summary>Begins to run the script.</summary>
    /// <param name="bootstrap">Where its xDS client finds its control plane; null for none.</param>
    /// <param name="arguments">For the script.</param>
    public Process Start(string? bootstrap, params IEnumerable<string> arguments)
    {
        ProcessStartInfo start = Plain([Script, .. arguments]);
        if (bootstrap is not null) start.Environment["GRPC_XDS_BOOTSTRAP"] = bootstrap;
        return Process.Start(start)!;
    }

    /// <summary>Why it can't be used; null where it can.</summary>
    public async Task<string?> ObstacleAsync()
    {
        try
        {
            return (await Stands.Lateen.RunAsync(Plain(Probe))).Code == 0 ? null : Absence;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return Absence;
        }
    }

    private ProcessStartInfo Plain(IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        if (Modules is not null) start.Environment["NODE_PATH"] = Modules;
        foreach (string proxy in new[] { "http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY" })
            start.Environment.Remove(proxy);
        return start;
    }

    private static string At(params string[] below) => Path.Combine([Repository.Root, "test", "Real", "Proxyless", .. below]);
}
