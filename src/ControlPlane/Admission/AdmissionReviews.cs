// Admission: the API server asks before it keeps an object (admission.k8s.io/v1), and is answered with what `lateen validate` would say, in
// istiod's words where a script may look at them. A review is judged by itself, from the object inside of it: nothing of the mesh is looked
// at, so that every replica gives the same answer and the order in which objects are created does not matter.
//
// Refused: judging by other objects (an API server asks while it holds a request open, and its caches and ours differ by then).
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.Config.Validation;

namespace Lateen.ControlPlane.Admission;

/// <summary>A verdict in the form of an AdmissionReview.</summary>
/// <param name="Body">JSON.</param>
/// <param name="Kind">The kind that was judged; null when it never came to that.</param>
/// <param name="Allowed">Whether the object may be kept.</param>
public sealed record AdmissionVerdict(string Body, ResourceKind? Kind, bool Allowed);

/// <summary>Judges admission reviews.</summary>
public static class AdmissionReviews
{
    private const string ApiVersion = "admission.k8s.io/v1";
    private static readonly ResourceDecoder Decoder = new(new DecoderOptions { Unknown = UnknownFields.Warning, TellUnused = false });

    /// <summary>The answer to a review.</summary>
    /// <param name="body">The review as the API server sends it.</param>
    public static AdmissionVerdict Answer(string body)
    {
        JsonObject review;
        try
        {
            review = JsonNode.Parse(body) as JsonObject ?? throw new JsonException("it is no object");
        }
        catch (JsonException malformed)
        {
            return Refuse(null, "", $"could not decode body: {malformed.Message}");
        }
        if (review["kind"] is null) return Refuse(null, "", $"could not decode body: Object 'Kind' is missing in '{body}'");
        if (review["request"] is not JsonObject request) return Refuse(review, "", "the review has no request");
        string uid = Text(request["uid"]);
        // Deleting is never wrong; other operations than these two are not sent here.
        if (Text(request["operation"]) is not ("CREATE" or "UPDATE")) return Allow(review, uid, null, []);
        if (request["object"] is not JsonObject written) return Refuse(review, uid, "the request has no object");
        return Judge(review, uid, request, written);
    }

    private static AdmissionVerdict Judge(JsonObject review, string uid, JsonObject request, JsonObject written)
    {
        JsonNode? asked = request["kind"];
        (string group, string version, string name) = (Text(asked?["group"]), Text(asked?["version"]), Text(asked?["kind"]));
        if (Kinds.Find(group, name) is not { IsConfiguration: true } kind || group == "networking.k8s.io")
            return Refuse(review, uid, $"unrecognized type {(group.Length == 0 ? version : $"{group}/{version}")}, Kind={name}");
        var found = new DiagnosticBag();
        Node? tree = DocumentReader.ReadSingle(written.ToJsonString(), "", found);
        Resource? resource = tree is null ? null : Decoder.Decode(tree, found);
        if (resource is null || found.HasErrors) return Refuse(review, uid, "error decoding configuration: " + Listed(found), kind);
        IReadOnlyList<Diagnostic> judged = Validator.Check(resource);
        if (judged.Any(finding => finding.IsError)) return Refuse(review, uid, "configuration is invalid: " + Listed(judged), kind);
        return Allow(review, uid, kind, [.. found.Concat(judged).Where(finding => finding.Level == DiagnosticLevel.Warning).Select(Said)]);
    }

    // One mistake stands alone; several as a list, as Go's errors are joined.
    private static string Listed(IEnumerable<Diagnostic> findings)
    {
        string[] errors = [.. findings.Where(finding => finding.IsError).Select(Said)];
        return errors.Length == 1
            ? errors[0] : $"{errors.Length} errors occurred:\n{string.Concat(errors.Select(error => $"\t* {error}\n"))}\n";
    }

    private static string Said(Diagnostic finding) =>
        finding.Path.Length == 0 || finding.Text.StartsWith(finding.Path, StringComparison.Ordinal)
            ? finding.Text : $"{finding.Path}: {finding.Text}";

    private static AdmissionVerdict Refuse(JsonObject? review, string uid, string message, ResourceKind? kind = null) =>
        new(
            Written(review, new JsonObject
            {
                ["uid"] = uid,
                ["allowed"] = false,
                ["status"] = new JsonObject { ["metadata"] = new JsonObject(), ["message"] = message },
            }), kind, false);

    private static AdmissionVerdict Allow(JsonObject review, string uid, ResourceKind? kind, string[] warnings)
    {
        var response = new JsonObject { ["uid"] = uid, ["allowed"] = true };
        if (warnings.Length > 0) response["warnings"] = new JsonArray([.. warnings.Select(warning => (JsonNode)warning)]);
        return new AdmissionVerdict(Written(review, response), kind, true);
    }

    private static string Written(JsonObject? review, JsonObject response) =>
        review is null ? new JsonObject { ["response"] = response }.ToJsonString()
            : new JsonObject { ["kind"] = "AdmissionReview", ["apiVersion"] = ApiVersion, ["response"] = response }.ToJsonString();

    private static string Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : "";
}
