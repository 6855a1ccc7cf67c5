using System.Buffers.Text;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Formats;

/// <summary>The gRPC status of a response: from trailers, else from the head of a trailers-only response, else derived from the HTTP status
/// of a gRPC request.</summary>
public static class GrpcStatus
{
    private static readonly string[] Names =
    [
        "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated",
    ];

    private static readonly string[] SnakeNames =
    [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ];

    /// <summary>The status of a stream; false where it is no gRPC or has none.</summary>
    public static bool Find(IStreamFacts facts, out int code)
    {
        code = 0;
        if (facts.RequestHead is not { } head || !Routing.Route.IsGrpc(head))
            return false;
        if ((facts.ResponseTrailers is { } t && Read(t, out code)) || (facts.ResponseHead is { } h && Read(h, out code)))
            return true;
        if (facts.Status == 0)
            return false;
        code = FromHttp(facts.Status);
        return true;
    }

    /// <summary>The status in a head or trailers.</summary>
    public static bool Read(HeaderMap map, out int code)
    {
        code = 2;
        if (!map.TryGet(KnownHeader.GrpcStatus, out ReadOnlySpan<byte> text))
            return false;
        if (!Utf8Parser.TryParse(text, out int parsed, out int used) || used != text.Length)
            return false;
        code = parsed;
        return true;
    }

    /// <summary>Its name as Envoy's logs write it; numbers that have none stay numbers.</summary>
    public static string Name(int code, bool snake = false)
    {
        string[] names = snake ? SnakeNames : Names;
        return (uint)code < (uint)names.Length ? names[code] : code.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>The gRPC status that stands for an HTTP status (gRPC's http-grpc-status-mapping, as Envoy extends it).</summary>
    public static int FromHttp(int status) => status switch
    {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 or 502 or 503 or 504 => 14,
        _ => 2,
    };
}
