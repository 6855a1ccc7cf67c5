using System.Text.Encodings.Web;
using System.Text.Json;

namespace Lateen.Injector.Templates;

/// <summary>How JSON is written into texts that people read.</summary>
internal static class PlainJson
{
    /// <summary>Escapes what must be.</summary>
    public static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
