"""The house: IB's words and numbers stay where its protocol is spoken; all else knows what they mean."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mats.ib import error_codes
from mats.ib.conversion import orders

ROOT = Path(__file__).resolve().parents[2]
SPEAKERS = {
    "mats/ib": "the client of IB's protocol",
    "mats/gateway": "the server of IB's protocol",
    "mats/venue": "its orders carry IB's statuses, which the gateway sends on",
}
"""Folders that know IB's statuses and codes, with the reason."""

STATUSES = frozenset(orders._STATUSES)
CODES = frozenset(error_codes._TABLE) | frozenset(error_codes._ORDER_MEANINGS)
UNMISTAKABLE = 1_000
"""A code from here on is a code wherever it stands; smaller ones are numbers like others, until compared or listed."""
TABLE_LENGTH = 3

SOURCES = [
    path
    for folder in ("actors", "mats")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not any(path.is_relative_to(ROOT / speaker) for speaker in SPEAKERS)
]


def words_of_ib(source: str) -> Iterator[str]:
    """Line and text of each status, code and table of codes."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str(word)) if word in STATUSES:
                yield f"{node.lineno}: {word!r}"
            case ast.Constant(value=int(number)) if number >= UNMISTAKABLE and number in CODES:
                yield f"{node.lineno}: {number}"
            case ast.Compare(left=ast.Attribute(attr="code") | ast.Name(id="code")) if codes_in(node.comparators):
                yield f"{node.lineno}: {ast.unparse(node)}"
            case ast.Match(subject=ast.Attribute(attr="code") | ast.Name(id="code")):
                yield f"{node.lineno}: match of a code"
            case ast.Dict(keys=items) | ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
                if len(items) >= TABLE_LENGTH and len(codes_in(items)) == len(items):
                    yield f"{node.lineno}: {ast.unparse(node)}"


def codes_in(nodes: list[ast.expr] | list[ast.expr | None]) -> list[int]:
    values = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return [value for value in values if isinstance(value, int) and value in CODES]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_edge_knows_statuses_and_codes_of_ib(path: Path) -> None:
    assert list(words_of_ib(path.read_text())) == []


@pytest.mark.parametrize(
    "fault",
    [
        'done = order.status == "Filled"',
        'match word:\n    case "ApiCancelled":\n        pass',
        'DEAD = frozenset({"Cancelled"})',
        "refused = event.code != 10147",
        "lost = code == 201",
        "match error.code:\n    case 202:\n        pass",
        "REJECTED = (201, 203, 110)",
        "MEANINGS = {201: 'rejected', 202: 'cancelled', 399: 'warning'}",
    ],
)
def test_a_status_or_code_outside_the_edge_is_found(fault: str) -> None:
    assert list(words_of_ib(fault))


def test_every_folder_that_may_know_them_does() -> None:
    for speaker in SPEAKERS:
        assert any(list(words_of_ib(path.read_text())) for path in (ROOT / speaker).rglob("*.py")), speaker
