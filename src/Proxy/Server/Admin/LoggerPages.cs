namespace Lateen.Proxy.Server;

/// <summary>/logging: levels by the names of Envoy's loggers. What this proxy says to its operator goes by the logger "main"; the others
/// are kept so that tools find them. Main loop.</summary>
public sealed class LoggerPages(Action<string> onMain)
{
    private const string Usage =
        "usage: /logging?<name>=<level> (change single level)\nusage: /logging?paths=name1:level1,name2:level2,... (change multiple "
        + "levels)\n"
            + "usage: /logging?level=<level> (change all levels)\nusage: /logging?group=<group_name>:<level> (change group of "
                + "loggers)\nlevels: trace debug info warning error critical off \n";

    private static readonly string[] Levels = ["trace", "debug", "info", "warning", "error", "critical", "off"];

    private readonly List<(string Name, string Level)> _loggers =
    [
        .. "a2a admin ai_protocol_manager alternate_protocols_cache aws assert backtrace basic_auth cache_filter client config connection conn_handler compression credential_injector decompression dns dubbo envoy_bug ext_authz ext_proc rocketmq file filter forward_proxy geolocation grpc happy_eyeballs hc health_checker http http2 hystrix init io jwt json_rpc kafka key_value_store lua local_rate_limit main matcher mcp misc mongo multi_connection notification oauth2 quic quic_stream pool rate_limit_quota rbac rds redis router runtime stats secret sse tap testing thrift tracing upstream udp wasm websocket golang stats_sinks dynamic_modules ip_tagging"
            .Split(' ').Select(n => (n, "warning")),
    ];

    /// <summary>Answers.</summary>
    public AdminAnswer Answer(AdminRequest request)
    {
        if (request.Query.Count > 1)
            return Refuse("error: invalid number of parameters");
        foreach ((string name, string value) in request.Query)
        {
            string error = name switch
            {
                "level" => Set(_ => true, value),
                "paths" => SetSeveral(value),
                "group" => value.Split(':') is [string group, string level]
                    ? SetNamed(group, level) : "error: empty logger name or empty logger level",
                _ => SetNamed(name, value),
            };
            if (error.Length > 0)
                return Refuse(error);
        }
        return AdminAnswer.Text(List());
    }

    private AdminAnswer Refuse(string error) => AdminAnswer.Text($"{error}\n\n{Usage}{List()}", 400);

    private string List() => "active loggers:\n" + string.Concat(_loggers.Select(l => $"  {l.Name}: {l.Level}\n")) + "\n";

    private string SetSeveral(string paths)
    {
        foreach (string path in paths.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            if (path.Split(':') is not [{ Length: > 0 } name, { Length: > 0 } level])
                return "error: empty logger name or empty logger level";
            if (SetNamed(name, level) is { Length: > 0 } error)
                return error;
        }
        return "";
    }

    private string SetNamed(string name, string level) => !Levels.Contains(level) && level.Length > 0 ? "error: unknown logger level"
        : !_loggers.Exists(l => l.Name == name) ? "error: unknown logger name" : Set(n => n == name, level);

    private string Set(Func<string, bool> which, string level)
    {
        if (level.Length == 0)
            return "";
        if (!Levels.Contains(level))
            return "error: unknown logger level";
        for (int i = 0; i < _loggers.Count; i++)
        {
            if (which(_loggers[i].Name))
                _loggers[i] = (_loggers[i].Name, level);
        }
        if (which("main"))
            onMain(level);
        return "";
    }
}
