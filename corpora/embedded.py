"""The text that comes with the package: its manifests, written anew when the text changes."""

from pathlib import Path

from corpora.files import write_text
from corpora.languages import language_of
from corpora.manifest import DeclaredLines, Manifest, manifest_of, to_toml

SAMPLES = Path(__file__).parent / "samples"

_SOURCE = "written for this project; see corpora/samples/README.md"
_LICENCE = "CC0-1.0"
_DOMAINS = (
    DeclaredLines(domain="everyday", first=1, last=16),
    DeclaredLines(domain="technical", first=17, last=32),
    DeclaredLines(domain="narrative", first=33, last=48),
)


def embedded_manifests() -> dict[Path, Manifest]:
    """Return the manifests of the embedded corpora as their files are now, by where each lies."""
    texts = SAMPLES.glob("parallel/*.txt")
    programs = SAMPLES.glob("code/*.*")
    return {
        SAMPLES / "embedded.toml": manifest_of(
            SAMPLES,
            {path: language_of(Path(path.name)) for path in texts},
            name="embedded",
            title="48 segments of everyday, technical and narrative prose, aligned",
            source=_SOURCE,
            licence=_LICENCE,
            parallel=True,
            lines=_DOMAINS,
        ),
        SAMPLES / "embedded-code.toml": manifest_of(
            SAMPLES,
            {path: path.stem for path in programs},
            name="embedded-code",
            title="a short program in each of six programming languages",
            source=_SOURCE,
            licence=_LICENCE,
            unit="file",
            domain="code",
        ),
    }


def write_manifests() -> None:
    """Write both manifests; to be called whenever a sample was changed on purpose."""
    for path, manifest in embedded_manifests().items():
        write_text(path, to_toml(manifest))
