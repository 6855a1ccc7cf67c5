namespace Lateen.Api.Grpc;

/// <summary>The status codes of gRPC (statuscodes.md).</summary>
public enum GrpcStatus
{
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// <summary>Status codes by their names and from HTTP.</summary>
public static class GrpcStatuses
{
    private static readonly string[] Names =
    [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ];

    /// <summary>The name as configuration writes it (<c>UNAVAILABLE</c>).</summary>
    public static string NameOf(GrpcStatus status) => (int)status >= 0 && (int)status < Names.Length ? Names[(int)status] : "UNKNOWN";

    /// <summary>Reads a name in any case, or a number from 0 to 16.</summary>
    public static bool TryParse(string text, out GrpcStatus status)
    {
        var index = Array.FindIndex(Names, n => n.Equals(text, StringComparison.OrdinalIgnoreCase));
        if (index < 0
            && int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture,
                out var number))
        {
            index = number < Names.Length ? number : -1;
        }

        status = (GrpcStatus)Math.Max(index, 0);
        return index >= 0;
    }

    /// <summary>What an HTTP answer without grpc-status means to a gRPC client (http-grpc-status-mapping.md).</summary>
    public static GrpcStatus FromHttp(int httpStatus) => httpStatus switch
    {
        400 => GrpcStatus.Internal,
        401 => GrpcStatus.Unauthenticated,
        403 => GrpcStatus.PermissionDenied,
        404 => GrpcStatus.Unimplemented,
        429 or 502 or 503 or 504 => GrpcStatus.Unavailable,
        _ => GrpcStatus.Unknown,
    };
}
