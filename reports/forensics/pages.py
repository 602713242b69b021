"""The pages on what tokenizers give away, in their order."""

from pathlib import Path

from corpora.errors import InputError
from reports.forensics.diff import diff_section
from reports.forensics.tokenizers import audit_section, mixture_section
from reports.page import Section
from tokenize_lab.cli.forensics import load_findings

_SECTIONS = {"audit": audit_section, "diff": diff_section, "mixture": mixture_section}


def forensic_sections(folder: Path) -> list[Section]:
    """Return a section for each audit, comparison and mixture that a folder holds; maybe none.

    Raises:
        InputError: one of them is damaged.
    """
    sections = []
    for kind, findings in load_findings(folder).items():
        for place, finding in enumerate(findings):
            try:
                sections.append(_SECTIONS[kind](finding, place))
            except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
                raise InputError(
                    f"{folder}: a {kind} in it is damaged or of another version ({error!r}); make "
                    f"it again with tokenize-lab tokenizers {kind} --out"
                ) from error
    return sections
