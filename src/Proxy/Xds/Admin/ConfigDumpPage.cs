using Envoy.Admin.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.Proxy.Server;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Xds.Admin;

/// <summary>/config_dump: all of it, or one repeated part (resource), by name (name_regex), cut to some fields (mask). Secrets never leave.
/// Main loop.</summary>
internal sealed class ConfigDumpPage(ProxyServer server, ProxyAssembly assembly)
{
    private readonly DumpSections _sections = new(server, assembly);

    /// <summary>Answers.</summary>
    public AdminAnswer Answer(AdminRequest request)
    {
        string pattern = request.Query.GetValueOrDefault("name_regex") ?? "";
        if (!StatQuery.TryFilter(pattern, out System.Text.RegularExpressions.Regex? regex, out string error))
            return Refuse(400,
                $"INVALID_ARGUMENT: Error while parsing name_regex "
                + $"from {pattern}: {error.Replace("Invalid re2 regex: ", "", StringComparison.Ordinal)}") with { NoSniffTwice = false };
        bool Named(string name) => regex is null || regex.Match(name) is { Success: true } m && m.Length == name.Length;
        string[] mask = (request.Query.GetValueOrDefault("mask")
            ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        List<IMessage> sections = [.. _sections.All(request.Query.ContainsKey("include_eds"), Named)];
        return request.Query.TryGetValue("resource", out string? resource) && resource.Length > 0
            ? One(sections, resource, mask) : Whole(sections, mask);
    }

    private static AdminAnswer Refuse(int status, string text) =>
        new(status, "text/plain", System.Text.Encoding.UTF8.GetBytes(text)) { NoSniffTwice = true };

    private static AdminAnswer Whole(List<IMessage> sections, string[] mask)
    {
        var dump = new ConfigDump();
        foreach (IMessage section in sections)
        {
            IMessage copy = Copy(section);
            string[] own = [.. mask.Where(p => copy.Descriptor.FindFieldByName(p.Split('.')[0]) is not null)];
            if (mask.Length > 0 && own.Length == 0)
                continue;
            if (own.Length > 0 && !MessageTrim.Keep(copy, own))
                return Refuse(400, $"FieldMask {string.Join(',', mask)} could not be successfully used.");
            dump.Configs.Add(Any.Pack(copy));
        }
        return Render(dump);
    }

    private static AdminAnswer One(List<IMessage> sections, string resource, string[] mask)
    {
        foreach (IMessage section in sections)
        {
            if (section.Descriptor.FindFieldByName(resource) is not { } field)
                continue;
            if (!field.IsRepeated)
                return Refuse(400, $"{resource} is not a repeated field. Use ?mask={resource} to get only this field");
            var dump = new ConfigDump();
            foreach (IMessage item in ((System.Collections.IEnumerable)field.Accessor.GetValue(section)).OfType<IMessage>())
            {
                IMessage copy = Copy(item);
                if (mask.Length > 0 && !MessageTrim.Keep(copy, mask))
                    return Refuse(400, $"FieldMask {string.Join(',', mask)} could not be successfully used.");
                dump.Configs.Add(Any.Pack(copy));
            }
            return Render(dump);
        }
        return Refuse(404, $"{resource} not found in config dump");
    }

    private static IMessage Copy(IMessage message) => message.Descriptor.Parser.ParseFrom(message.ToByteString());

    private static AdminAnswer Render(ConfigDump dump)
    {
        MessageTrim.Redact(dump);
        return AdminAnswer.Json(MessageWriter.ToJson(dump, options: WriterOptions.Envoy));
    }
}
