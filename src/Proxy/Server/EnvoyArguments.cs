using System.Globalization;
using Lateen.Proxy.Xds;

namespace Lateen.Proxy.Server;

/// <summary>The command line of a proxy, as Envoy's: what Istio's agent and users pass (envoyproxy.io, Command line options).</summary>
public sealed record EnvoyArguments
{
    // Options that take a value and change nothing here: hot restart by shared memory, log shapes, compiled-in paths.
    private static readonly HashSet<string> Ignored =
    [
        "--component-log-level", "--log-format", "--log-path", "--base-id-path", "--socket-mode", "--file-flush-min-size-kb",
        "--service-zone", "--stats-tag", "--disable-extensions", "--admin-address-path", "--max-stats", "--max-obj-name-len",
        "--bootstrap-version",
    ];

    private static readonly HashSet<string> IgnoredSwitches =
    [
        "--enable-fine-grain-logging",
        "--enable-core-dump", "--cpuset-threads", "--enable-mutex-tracing", "--use-dynamic-base-id", "--log-format-escaped",
        "--skip-deprecated-logs", "--hot-restart-version", "--skip-hot-restart-parent-stats",
    ];

    /// <summary>The bootstrap file.</summary>
    public string ConfigPath { get; private set; } = "";

    /// <summary>A text laid over the bootstrap.</summary>
    public string ConfigYaml { get; private set; } = "";

    /// <summary>Workers; 0 for one a core.</summary>
    public int Concurrency { get; private set; }

    /// <summary>The level of what is said.</summary>
    public string LogLevel { get; private set; } = "info";

    /// <summary>The node's id in place of the bootstrap's.</summary>
    public string ServiceNode { get; private set; } = "";

    /// <summary>The node's cluster in place of the bootstrap's.</summary>
    public string ServiceCluster { get; private set; } = "";

    /// <summary>How long connections may end in order, in seconds.</summary>
    public int DrainSeconds { get; private set; } = 600;

    /// <summary>All connections are told to end with their next answer, rather than more and more of them over that time.</summary>
    public bool DrainAtOnce { get; private set; }

    /// <summary>How long a process that was replaced may go on, in seconds.</summary>
    public int ParentShutdownSeconds { get; private set; } = 900;

    /// <summary>Which of a series of processes on one base id this is; from 1 on it takes over from the one before.</summary>
    public int RestartEpoch { get; private set; }

    /// <summary>Tells series of processes on one host apart.</summary>
    public int BaseId { get; private set; }

    /// <summary>The name of the socket by which processes find each other.</summary>
    public string SocketPath { get; private set; } = "@lateen_domain_socket";

    /// <summary>Nothing is handed over.</summary>
    public bool DisableHotRestart { get; private set; }

    /// <summary>A missing process before this one is no error.</summary>
    public bool SkipMissingParent { get; private set; }

    /// <summary>How often log buffers leave.</summary>
    public long FlushMicros { get; private set; } = 10_000_000;

    /// <summary>What becomes of a bootstrap with fields that the schema does not know.</summary>
    public UnknownFieldChoice UnknownStatic { get; private set; } = UnknownFieldChoice.Refused;

    /// <summary>What becomes of discovered resources with such fields.</summary>
    public UnknownFieldChoice UnknownDynamic { get; private set; } = UnknownFieldChoice.Said;

    /// <summary>Only checks the configuration.</summary>
    public bool ValidateOnly { get; private set; }

    /// <summary>Only says its version.</summary>
    public bool Version { get; private set; }

    /// <summary>Only says its options.</summary>
    public bool Help { get; private set; }

    /// <summary>Reads a command line; null with one sentence in <paramref name="error"/> where it is wrong.</summary>
    public static EnvoyArguments? Parse(IReadOnlyList<string> args, out string error)
    {
        var result = new EnvoyArguments();
        error = "";
        for (int i = 0; i < args.Count && error.Length == 0; i++)
        {
            string name = args[i], value = "";
            int eq = name.StartsWith("--", StringComparison.Ordinal) ? name.IndexOf('=', StringComparison.Ordinal) : -1;
            if (eq > 0)
                (name, value) = (name[..eq], name[(eq + 1)..]);
            if (result.Switch(name) || IgnoredSwitches.Contains(name))
                continue;
            if (eq < 0 && (Ignored.Contains(name) || Valued.Contains(name)))
            {
                if (++i == args.Count)
                    error = $"{name} needs a value";
                else
                    value = args[i];
            }
            if (error.Length == 0 && !Ignored.Contains(name))
                error = result.Take(name, value);
        }
        if (error.Length == 0 && result is { Version: false, Help: false, ConfigPath: "", ConfigYaml: "" })
            error = "at least one of --config-path (-c) and --config-yaml is needed";
        return error.Length == 0 ? result : null;
    }

    private static readonly HashSet<string> Levels = ["trace", "debug", "info", "warning", "warn", "error", "critical", "off"];

    private static readonly HashSet<string> Valued =
        ["-c", "--config-path", "--config-yaml", "--concurrency", "-l", "--log-level", "--service-node", "--service-cluster",
            "--drain-time-s", "--file-flush-interval-msec", "--mode", "--local-address-ip-version",
            "--drain-strategy", "--parent-shutdown-time-s", "--restart-epoch", "--base-id", "--socket-path"];

    private bool Switch(string name)
    {
        Version |= name == "--version";
        Help |= name is "--help" or "-h";
        DisableHotRestart |= name == "--disable-hot-restart";
        SkipMissingParent |= name == "--skip-hot-restart-on-no-parent";
        return name is "--version" or "--help" or "-h" or "--disable-hot-restart" or "--skip-hot-restart-on-no-parent"
            || UnknownFields(name);
    }

    private bool UnknownFields(string name)
    {
        switch (name)
        {
            case "--allow-unknown-static-fields" or "--allow-unknown-fields": UnknownStatic = UnknownFieldChoice.Said; return true;
            case "--reject-unknown-dynamic-fields": UnknownDynamic = UnknownFieldChoice.Refused; return true;
            case "--ignore-unknown-dynamic-fields": UnknownDynamic = UnknownFieldChoice.Ignored; return true;
            default: return false;
        }
    }

    private string Take(string name, string value)
    {
        switch (name)
        {
            case "-c" or "--config-path": ConfigPath = value; break;
            case "--config-yaml": ConfigYaml = value; break;
            case "-l" or "--log-level" when Levels.Contains(value.ToLowerInvariant()): LogLevel = value.ToLowerInvariant(); break;
            case "--service-node": ServiceNode = value; break;
            case "--service-cluster": ServiceCluster = value; break;
            case "--local-address-ip-version" when value is "v4" or "v6": break;
            case "--mode" when value is "serve" or "validate" or "init_only": ValidateOnly = value == "validate"; break;
            case "--concurrency" when Number(value, out int n): Concurrency = Math.Max(1, n); break;
            case "--drain-strategy" when value is "gradual" or "immediate": DrainAtOnce = value == "immediate"; break;
            case "--parent-shutdown-time-s" when Number(value, out int n): ParentShutdownSeconds = n; break;
            case "--restart-epoch" when Number(value, out int n): RestartEpoch = n; break;
            case "--base-id" when Number(value, out int n): BaseId = n; break;
            case "--socket-path": SocketPath = value; break;
            case "--drain-time-s" when Number(value, out int n): DrainSeconds = n; break;
            case "--file-flush-interval-msec" when Number(value, out int n): FlushMicros = Math.Max(1, n) * 1000L; break;
            default: return Valued.Contains(name) ? $"{name} does not take \"{value}\"" : $"unknown option {name}; see --help";
        }
        return "";
    }

    private static bool Number(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    /// <summary>The options, for --help.</summary>
    public static string Usage => $"""
        lateen proxy -c BOOTSTRAP [OPTIONS]      serves what an Envoy bootstrap (JSON or YAML) asks for

          -c, --config-path FILE            the bootstrap
              --config-yaml TEXT            laid over it
              --concurrency N               workers (one a core)
          -l, --log-level LEVEL             trace, debug, info, warning, error, critical, off
              --service-node ID             the node's id
              --service-cluster NAME        the node's cluster
              --drain-time-s N              time that connections have to end in order (600)
              --drain-strategy gradual|immediate
              --restart-epoch N             from 1 on: takes the sockets of the process of the epoch before
              --base-id N                   tells series of such processes apart (0)
              --parent-shutdown-time-s N    how long the process before may go on (900)
              --disable-hot-restart         hands no sockets over
              --file-flush-interval-msec N  how often log buffers leave (10000)
              --mode serve|validate         validate: only checks the bootstrap and what is in it
              --allow-unknown-static-fields     says fields of the bootstrap that are not known, in place of refusing them
              --reject-unknown-dynamic-fields   refuses discovered resources with such fields, in place of saying them
              --ignore-unknown-dynamic-fields   says nothing of them
              --version

        Taken for compatibility, without effect: {string.Join(' ', Ignored.Concat(IgnoredSwitches).Order(StringComparer.Ordinal))}
        """;
}
