"""Sentences for a person and lines of the log share standard error: each is written whole, so none tears another."""

import io
import logging
import re
import sys
from pathlib import Path

import pytest

from mats.errors import say

ROOT = Path(__file__).resolve().parents[2]


class Pieces(io.StringIO):
    """A stream that keeps each piece as it was written."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return len(text)


def test_a_sentence_and_a_line_of_the_log_are_one_piece_each(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Pieces()
    monkeypatch.setattr(sys, "stderr", stream)
    say("the market is closed; wait")
    logging.StreamHandler(stream).emit(logging.makeLogRecord({"msg": "connected"}))
    assert stream.pieces == ["mats: the market is closed; wait\n", "connected\n"]


def test_nobody_else_writes_a_sentence_to_standard_error() -> None:
    torn = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for folder in ("actors", "mats")
        for path in (ROOT / folder).rglob("*.py")
        for match in re.finditer(r'print\(\s*f?"mats: ', path.read_text())
    ]
    assert torn == []
