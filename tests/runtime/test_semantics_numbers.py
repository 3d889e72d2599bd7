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


def test_every_guarantee_of_the_system_names_tests_that_there_are() -> None:
    root = SENTENCES.parent.parent
    _, *stated = re.split(r"^- \*\*(G\d) ", SENTENCES.read_text(), flags=re.MULTILINE)
    named = {
        number: re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text)
        for number, text in zip(stated[::2], stated[1::2], strict=True)
    }
    assert sorted(named) == [f"G{number}" for number in range(1, 10)]
    for number, tests in named.items():
        assert tests, number
        for file, name in tests:
            assert f"def {name}(" in (root / file).read_text(), (number, file, name)
