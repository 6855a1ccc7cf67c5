using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Operator;

/// <summary>What was asked for, or why not.</summary>
public readonly record struct Answer<T>(T? Value, Refusal? Refusal, int HttpStatus) where T : class
{
    /// <summary>The answer is <paramref name="value"/>.</summary>
    public static implicit operator Answer<T>(T value) => new(value, null, StatusCodes.Status200OK);

    /// <summary>The answer is no.</summary>
    public static implicit operator Answer<T>(No no) => new(null, new Refusal(no.Message, no.Remedy), no.HttpStatus);
}

/// <summary>A "no" on its way to becoming an <see cref="Answer{T}"/> of any type.</summary>
public readonly record struct No(int HttpStatus, string Message, string? Remedy)
{
    /// <summary>What was named does not exist.</summary>
    public static No NotFound(string message, string? remedy = null) => new(StatusCodes.Status404NotFound, message, remedy);

    /// <summary>The request makes no sense.</summary>
    public static No Misuse(string message, string? remedy = null) => new(StatusCodes.Status400BadRequest, message, remedy);

    /// <summary>Somebody else, further on, could not be asked.</summary>
    public static No Unreachable(string message, string? remedy = null) => new(StatusCodes.Status502BadGateway, message, remedy);
}
