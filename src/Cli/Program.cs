return await Lateen.Cli.Commands.RunAsync(args, Lateen.Cli.Printing.Terminal.OfProcess());
