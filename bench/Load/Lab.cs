using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Lateen.Bench.Load;

/// <summary>Processes on chosen cores, and a folder for their files. All end with it.</summary>
internal sealed class Lab : IDisposable
{
    /// <summary>Where proxies run, and where clients and backends do.</summary>
    public const int ProxyCore = 0, LoadCore = 1;

    private readonly List<Process> _processes = [];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lateen-load-");

    /// <summary>Starts the program that answers with 880 bytes; returns its port.</summary>
    public int Backend()
    {
        int port = FreePort();
        Launch(LoadCore, ["nginx", "-c", Write("backend.conf", PeerConfigurations.Backend(_folder.FullName, port))], port);
        return port;
    }

    /// <summary>The folder of their files.</summary>
    public string Folder => _folder.FullName;

    /// <summary>Starts ours before the backend with some workers, on both cores.</summary>
    public Contestant StartLateen(string name, Work work, int backend, string program, int workers)
    {
        int port = FreePort();
        string[] command = [program, "proxy", "-c",
            Write($"lateen-{workers}.json", Bootstrap.Text(_folder.FullName, work, port, backend, FreePort())), "--concurrency",
            workers.ToString(CultureInfo.InvariantCulture)];
        return new Contestant(name, port, Launch(-1, command, port), LoadCore);
    }

    /// <summary>Starts a proxy before the backend.</summary>
    public Contestant Start(string name, Work work, int backend, string program = "")
    {
        int port = FreePort();
        string folder = _folder.FullName;
        string[] command = name switch
        {
            "nginx" => ["nginx", "-c", Write("nginx.conf", PeerConfigurations.Nginx(folder, work, port, backend))],
            "haproxy" => ["haproxy", "-db", "-f", Write("haproxy.cfg", PeerConfigurations.Haproxy(work, port, backend))],
            _ => [program, "proxy", "-c", Write("lateen.json", Bootstrap.Text(folder, work, port, backend, FreePort())), "--concurrency",
                "1"],
        };
        return new Contestant(name, port, Launch(ProxyCore, command, port), LoadCore);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Process process in _processes)
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            process.Dispose();
        }
        _folder.Delete(recursive: true);
    }

    /// <summary>Starts a program on a core (-1: on all) and waits until it listens.</summary>
    public Process Launch(int core, string[] command, int port)
    {
        var start = new ProcessStartInfo("taskset", ["-c", core < 0 ? "0-63" : core.ToString(CultureInfo.InvariantCulture), .. command])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.Environment["PATH"] += ":/usr/sbin";
        Process process = Process.Start(start)!;
        _processes.Add(process);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        for (var waited = Stopwatch.StartNew(); !Answers(port);)
        {
            if (waited.Elapsed > TimeSpan.FromSeconds(20) || process.HasExited)
                throw new InvalidOperationException($"{string.Join(' ', command)} does not listen on {port}");
            Thread.Sleep(20);
        }
        return process;
    }

    /// <summary>Writes a file; returns its path.</summary>
    public string Write(string name, string text)
    {
        string path = Path.Combine(_folder.FullName, name);
        File.WriteAllText(path, text);
        return path;
    }

    private static bool Answers(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>A port that nobody has.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
