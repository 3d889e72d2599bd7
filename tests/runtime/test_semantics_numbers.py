import re
from pathlib import Path

HERE = Path(__file__).parent
SENTENCES = HERE.parent.parent / "docs" / "semantics.md"


def test_every_numbered_sentence_is_quoted_by_a_test_and_every_quote_has_its_sentence() -> None:
    stated = set(re.findall(r"^- \*\*(S\d+\.\d+)\*\*", SENTENCES.read_text(), re.MULTILINE))
    quoted: set[str] = set()
    for file in HERE.glob("test_*.py"):
        for docstring in re.findall(r'def test_\w+\([^)]*\)[^:]*:\n\s+"""(.*?)"""', file.read_text(), re.DOTALL):
            quoted |= set(re.findall(r"S\d+\.\d+", docstring))
    assert len(stated) > 50
    assert stated - quoted == set()
    assert quoted - stated == set()
