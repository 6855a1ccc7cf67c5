using System.Text;

namespace Lateen.Bench.Load.Mesh;

/// <summary>One resource of an incremental response, not looked into.</summary>
internal readonly record struct DeltaResource(string Name, string Version, ReadOnlyMemory<byte> Body);

/// <summary>An incremental response, read without making messages of it.</summary>
internal sealed class DeltaMessage
{
    public string TypeUrl { get; private set; } = "";

    public string Nonce { get; private set; } = "";

    public List<DeltaResource> Resources { get; } = [];

    public List<string> Removed { get; } = [];

    /// <summary>Reads envoy.service.discovery.v3.DeltaDiscoveryResponse.</summary>
    public static DeltaMessage Read(ReadOnlyMemory<byte> bytes)
    {
        var made = new DeltaMessage();
        foreach ((int field, ReadOnlyMemory<byte> value) in Fields(bytes))
        {
            switch (field)
            {
                case 2: made.Resources.Add(Resource(value)); break;
                case 4: made.TypeUrl = Text(value); break;
                case 5: made.Nonce = Text(value); break;
                case 6: made.Removed.Add(Text(value)); break;
            }
        }
        return made;
    }

    private static DeltaResource Resource(ReadOnlyMemory<byte> bytes)
    {
        (string name, string version, ReadOnlyMemory<byte> body) = ("", "", default(ReadOnlyMemory<byte>));
        foreach ((int field, ReadOnlyMemory<byte> value) in Fields(bytes))
        {
            switch (field)
            {
                case 1: version = Text(value); break;
                case 2: body = Fields(value).FirstOrDefault(f => f.Field == 2).Value; break;
                case 3: name = Text(value); break;
            }
        }
        return new DeltaResource(name, version, body);
    }

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    // Fields of type LEN alone: the response and its resources have no others that matter here.
    private static IEnumerable<(int Field, ReadOnlyMemory<byte> Value)> Fields(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            uint tag = Number(ref bytes), length = Number(ref bytes);
            if ((tag & 7) != 2)
                continue;
            yield return ((int)(tag >> 3), bytes[..(int)length]);
            bytes = bytes[(int)length..];
        }
    }

    private static uint Number(ref ReadOnlyMemory<byte> bytes)
    {
        uint value = 0;
        for (int i = 0; ; i++)
        {
            byte next = bytes.Span[i];
            value |= (uint)(next & 127) << (7 * i);
            if (next >= 128)
                continue;
            bytes = bytes[(i + 1)..];
            return value;
        }
    }
}
