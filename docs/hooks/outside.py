"""Pages and files of the site that lie outside docs/."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
OUTSIDE = (
    *("benchmarks/*.md", "experiments/*/README.md", "deploy/*"),
    *("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "NOTICE", "SECURITY.md"),
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them under the paths that they have in the checkout."""
    for file in sorted(file for pattern in OUTSIDE for file in ROOT.glob(pattern)):
        files.append(File.generated(config, file.relative_to(ROOT).as_posix(), abs_src_path=str(file)))
    return files
