using Lateen.Agent;

// A sidecar is started once for each workload, and again when it fails: it does without the command tree.
if (args is ["agent", "sidecar" or "router"]) return AgentProcess.Run(AgentOptions.FromEnvironment(args[1]));
if (args is ["proxy", .. var proxyArguments]) return Lateen.Proxy.Server.ProxyProcess.Run(proxyArguments);
if (args is ["controlplane", ..]) Lateen.Cli.Processes.RuntimeSettings.RequireControlPlanes();
return await Lateen.Cli.Commands.RunAsync(args, Lateen.Cli.Printing.Terminal.OfProcess());
