namespace Lateen.Test.Conformance.Frame;

/// <summary>Plays the vectors of one folder.</summary>
public interface IFolderRunner
{
    /// <summary>Folder under the vectors' directory.</summary>
    string Folder { get; }

    /// <summary>Plays all cases of the folder.</summary>
    IEnumerable<CaseResult> Run(string vectorsDir);
}
