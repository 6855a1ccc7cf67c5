using System.Text.Json;
using Lateen.Test.Unit.Proxy.Xds;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters;

/// <summary>Decisions of RBAC as lines of an audit log.</summary>
public sealed class AuditTests
{
    [Theory]
    [InlineData("ON_DENY", "/no", 1)]
    [InlineData("ON_DENY", "/yes", 0)]
    [InlineData("ON_ALLOW", "/yes", 1)]
    [InlineData("ON_ALLOW", "/no", 0)]
    [InlineData("ON_DENY_AND_ALLOW", "/no", 1)]
    [InlineData("NONE", "/no", 0)]
    public void Decisions_are_written_down(string condition, string path, int lines)
    {
        using ConfiguredProxy proxy = ConfiguredProxy.OfHttp(ConfiguredProxy.Filter("http.rbac.v3.RBAC", """
            "rules":{"audit_logging_options":{"audit_condition":"@WHEN@","logger_configs":[{"audit_logger":{"name":"out","typed_config":{"@type":"type.googleapis.com/envoy.extensions.rbac.audit_loggers.stream.v3.StdoutAuditLog"}}}]},
              "policies":{"yes \"1\"":{"permissions":[{"url_path":{"path":{"prefix":"/yes"}}}],"principals":[{"any":true}]}}}
            """.Replace("@WHEN@", condition, StringComparison.Ordinal)));
        Assert.Equal("", proxy.Refusal);
        proxy.Ask($"GET {path}?q=%22 HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal(lines, proxy.Log.Lines.Count);
        if (lines == 0)
            return;
        JsonElement line = JsonDocument.Parse(proxy.Log.Lines[0]).RootElement.GetProperty("grpc_audit_log");
        Assert.Equal((path, "one", path == "/yes" ? "yes \"1\"" : "", path == "/yes"),
            (line.GetProperty("rpc_method").GetString(), line.GetProperty("policy_name").GetString(),
                line.GetProperty("matched_rule").GetString(), line.GetProperty("authorized").GetBoolean()));
    }
}
