// Validation vectors: objects and parts of objects with Istio's verdict on them. The product's decoder and validator speak; a runner only
// compares their verdict with the row's.
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.Config.Validation;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Validation;

/// <summary>What all validation runners share: checking a text, reading a part, comparing verdicts.</summary>
internal static class Judging
{
    /// <summary>All that decoding and validation find in a text of objects.</summary>
    public static Findings Check(string text)
    {
        var findings = new Findings();
        var bag = new DiagnosticBag();
        var resources = new ResourceDecoder(new DecoderOptions { TellUnused = false }).Decode(text, "", bag);
        foreach (Diagnostic diagnostic in bag.Concat(resources.SelectMany(Validator.CheckConventions)))
            Tell(findings, diagnostic);
        return findings;
    }

    /// <summary>Reads a message that stands alone; what is wrong with its form goes to the findings.</summary>
    public static T Read<T>(string json, Findings findings)
        where T : IMessage<T>, new()
    {
        var bag = new DiagnosticBag();
        T message = new MessageReader("", bag).Read<T>(DocumentReader.ReadSingle(WithoutNullItems(json), "", bag));
        foreach (Diagnostic diagnostic in bag)
            Tell(findings, diagnostic);
        return message;
    }

    /// <summary>The difference between a row's verdict and ours; null where they agree.</summary>
    public static string? Verdict(JsonElement row, Findings findings)
    {
        JsonElement expect = row.GetProperty("expect");
        string found = Spelled(findings);
        bool wanted = expect.Truth("valid");
        if (wanted == findings.HasErrors)
            return $"expected {(wanted ? "valid" : "an error " + expect.Text("errorContains"))}, "
                + $"found {(found.Length > 0 ? found : "nothing")}";
        return expect.TryGetProperty("warning", out JsonElement warning)
            && (warning.ValueKind == JsonValueKind.True) != findings.HasWarnings
            ? $"expected {(warning.ValueKind == JsonValueKind.True ? "a warning" : "no warning")}, "
                + $"found {(found.Length > 0 ? found : "nothing")}"
            : null;
    }

    /// <summary>All findings in one line.</summary>
    public static string Spelled(Findings findings) => string.Join("; ", findings.Items.Select(i => $"{i.Level} {i.Path}: {i.Text}"));

    private static void Tell(Findings findings, Diagnostic diagnostic)
    {
        if (diagnostic.IsError)
            findings.Error(diagnostic.Code, diagnostic.Path, diagnostic.Text);
        else if (diagnostic.Level == DiagnosticLevel.Warning)
            findings.Warn(diagnostic.Code, diagnostic.Path, diagnostic.Text);
    }

    /// <summary>A null in a list stands for a pointer that Istio's own tests leave empty; no file can say it.</summary>
    private static string WithoutNullItems(string json)
    {
        JsonNode? root = JsonNode.Parse(json);
        Clean(root);
        return root?.ToJsonString() ?? "null";

        static void Clean(JsonNode? node)
        {
            if (node is JsonArray array)
            {
                for (int i = array.Count - 1; i >= 0; i--)
                {
                    if (array[i] is null)
                        array.RemoveAt(i);
                }
            }
            foreach (JsonNode? child in node switch
            {
                JsonArray a => a.ToArray(),
                JsonObject o => o.Select(p => p.Value).ToArray(),
                _ => [],
            })
                Clean(child);
        }
    }
}
