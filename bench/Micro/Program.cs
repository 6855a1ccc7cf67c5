// Micro: what single stations of a request cost, without sockets. One class a station, named after it. Run with
//   dotnet run -c Release --project bench/Micro -- --filter '*Decode*'
// Figures are worth comparing on one machine and in one run only; results go to bench/results with their machine's name.
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(
    args,
    DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance)));
