namespace Lateen.ControlPlane;

/// <summary>The control-plane process, put together by plain constructor calls, read top to bottom.</summary>
public static class Wiring
{
    /// <summary>Runs a control plane until <paramref name="stop"/>.</summary>
    /// <param name="options">What it is told from outside.</param>
    /// <param name="log">Where it writes its lines.</param>
    /// <param name="stop">Ends it.</param>
    /// <returns>The exit code of the process.</returns>
    public static async Task<int> RunAsync(ControlPlaneOptions options, TextWriter log, CancellationToken stop)
    {
        await Task.CompletedTask;
        return 0;
    }
}
