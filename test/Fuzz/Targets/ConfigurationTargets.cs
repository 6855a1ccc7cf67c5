using System.Text;
using Envoy.Config.Bootstrap.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Proxy.Net;
using Lateen.Proxy.Server;
using Lateen.Proxy.Xds;
using Lateen.Test.Fuzz.Frame;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>Bootstraps in JSON and YAML: refused with reasons, or served.</summary>
internal sealed class BootstrapTarget : FuzzTarget
{
    public override string Name => "bootstrap";

    public override IReadOnlyList<byte[]> Words =>
        [.. new[] { "&a ", "*a", "<<: *a", "!!binary ", "---\n", "\"@type\":", "null", "1e999", "-1", "\\u0000", "\t", "? ", "|\n",
            "{\"a\":", "[[[[", "1.5s", "\"\\ud800\"" }.Select(Encoding.UTF8.GetBytes)];

    public override IEnumerable<byte[]> Seeds => [Encoding.UTF8.GetBytes(MemoryProxy.Plain)];

    public override byte[]? Make(Chance chance, InputPool pool)
    {
        var mistakes = new DiagnosticBag();
        string text = Encoding.UTF8.GetString(pool.Any(chance));
        Bootstrap bootstrap = new MessageReader("", mistakes,
            UnknownFields.Warning).Read<Bootstrap>(DocumentReader.ReadSingle(text, "", mistakes));
        if (mistakes.HasErrors)
            return null;
        var maker = new MessageMaker(chance);
        for (uint n = 1 + chance.Below(3); n > 0; n--)
            maker.Change(bootstrap);
        return Encoding.UTF8.GetBytes(chance.Hits(1, 3) ? MessageWriter.ToYaml(bootstrap) : MessageWriter.ToJson(bootstrap));
    }

    // A text comes whole: the second play must be as the first.
    public override string Play(byte[] input, Chance? cuts)
    {
        try
        {
            using var proxy = new MemoryProxy(Encoding.UTF8.GetString(input));
            proxy.Start();
            return proxy.Failure.Length > 0 ? proxy.Failure : "served";
        }
        catch (BootstrapException e)
        {
            return e.Message;
        }
    }

    public override long AllocationMax(int length) => 600_000_000;
}

/// <summary>Discovery answers: each resource is taken or refused with a reason, whatever was accepted is driven through, and the proxy
/// serves on.</summary>
internal sealed class DiscoveryTarget : FuzzTarget
{
    private MemoryProxy? _proxy;

    public override string Name => "discovery";

    // What is refused depends on what is there already.
    public override bool HasPieces => false;

    public override byte[]? Make(Chance chance, InputPool pool)
    {
        if (Read(pool.Any(chance)) is not { Resources.Count: > 0 } answer)
            return null;
        var maker = new MessageMaker(chance);
        for (uint n = 1 + chance.Below(4); n > 0; n--)
            maker.Change(answer.Resources[(int)chance.Below((uint)answer.Resources.Count)]);
        return answer.ToByteArray();
    }

    public override void Renew()
    {
        _proxy?.Dispose();
        _proxy = MemoryProxy.StartPlain();
    }

    public override string Play(byte[] input, Chance? cuts)
    {
        if (Read(input) is not { } answer)
            return "no answer";
        var log = new StringBuilder();
        foreach (IGrouping<string, Any> type in answer.Resources.GroupBy(r => r.TypeUrl))
        {
            foreach ((string name, string reason) in Take(type.Key, [.. type], isWhole: (input.Length & 1) == 0))
                log.Append(type.Key).Append(' ').Append(name).Append(": ").Append(reason).Append('\n');
        }
        _proxy!.Network.Advance(5_000);
        Ask();
        return log.ToString();
    }

    private IReadOnlyList<(string Name, string Reason)> Take(string type, Any[] bodies, bool isWhole)
    {
        DiscoveredResources resources = _proxy!.Server.Assembly.Resources;
        var incoming = new List<IncomingResource>();
        foreach (Any body in bodies)
        {
            try
            {
                incoming.Add(new IncomingResource(resources.NameOf(body), "1", body));
            }
            catch (Exception e) when (BrokenBytes.Shown(e))
            {
                // As the stream does: what has no name is refused before its resources are looked at.
                return [("", "malformed")];
            }
        }
        return resources.Take(type, incoming, [], isWhole);
    }

    // Whatever was accepted is driven through, too.
    private void Ask()
    {
        foreach (Lateen.Proxy.Listeners.Listener listener in _proxy!.Server.Listeners.All.Values.ToArray())
        {
            if (!listener.Address.IsIp)
                continue;
            var client = new Listening();
            Transport connection = _proxy.Client.Connect(new ConnectOptions(MemoryProxy.ProxyAt.WithPort(listener.Address.Port)), client);
            _proxy.Network.Advance(500);
            connection.Send("GET /a/b?c=d HTTP/1.1\r\nhost: a.example\r\nx-a: b\r\ncookie: a=1\r\n\r\n"u8);
            _proxy.Network.Advance(2_000);
            connection.Close(abort: true);
            _proxy.Network.Advance(500);
        }
    }

    private static DiscoveryResponse? Read(byte[] input)
    {
        try
        {
            if (input is [(byte)'{', ..])
            {
                var mistakes = new DiagnosticBag();
                DiscoveryResponse read = new MessageReader("", mistakes,
                    UnknownFields.Warning).Read<DiscoveryResponse>(DocumentReader.ReadSingle(Encoding.UTF8.GetString(input), "", mistakes));
                return mistakes.HasErrors ? null : read;
            }
            return DiscoveryResponse.Parser.ParseFrom(input);
        }
        catch (Exception e) when (BrokenBytes.Shown(e))
        {
            return null;
        }
    }

    public override long AllocationMax(int length) => 600_000_000;
}
