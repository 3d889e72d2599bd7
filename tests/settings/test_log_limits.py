"""The log is bounded: repeated lines are counted, long texts are cut, a full disk is said once."""

import io
import json
import logging
from contextlib import redirect_stderr

import pytest
import structlog

from mats.logs import LogFile, RepeatLimit, cut, cut_fields


class Log:
    """Lines that pass a limit in fake time, and the summaries that it writes."""

    def __init__(self, **bounds):
        self.now = 0.0
        self.passed, self.summaries = [], []
        self.limit = RepeatLimit(self._say, lambda: self.now, **bounds)

    def _say(self, level, event, **fields):
        line = self.limit(None, level, {"event": event, **fields})
        self.summaries.append((level, line.pop("event"), line))

    def write(self, event, level="info", **fields):
        try:
            self.passed.append(self.limit(None, level, {"event": event, **fields}))
        except structlog.DropEvent:
            return False
        return True


def test_the_first_lines_of_a_cause_are_written_and_the_others_counted_once_a_period():
    log = Log()
    fields = {"name": "core/risk", "strategy": "bad", "code": "BUSY"}
    assert sum(log.write("order rejected", text=n, **fields) for n in range(12_365)) == 20
    assert [line["text"] for line in log.passed] == list(range(20))
    log.now = 60.0
    assert log.write("order rejected", text="next", **fields)
    (summary,) = log.summaries
    assert summary == ("info", "order rejected … 12,345 more in the last 60 s", fields)


def test_another_code_strategy_actor_or_level_is_another_cause():
    log = Log(first=1)
    assert log.write("failed", name="a", strategy="s", code=1)
    assert not log.write("failed", name="a", strategy="s", code=1)
    assert log.write("failed", name="a", strategy="s", code=2)
    assert log.write("failed", name="a", strategy="t", code=1)
    assert log.write("failed", name="b", strategy="s", code=1)
    assert log.write("failed", level="error", name="a", strategy="s", code=1)
    assert log.write("passed", name="a", strategy="s", code=1)


def test_what_was_left_out_is_said_without_another_line_and_at_the_end():
    log = Log(first=1)
    log.write("failed")
    log.write("failed")
    log.now = 59.0
    log.limit.poll()
    assert log.summaries == []
    log.now = 60.0
    log.limit.poll()
    assert [event for _, event, _ in log.summaries] == ["failed … 1 more in the last 60 s"]
    for _ in range(3):
        log.write("failed")
    log.now = 65.0
    log.limit.close()
    assert [event for _, event, _ in log.summaries][1:] == ["failed … 2 more in the last 5 s"]


def test_all_causes_together_are_bounded_and_so_is_what_is_remembered_of_them():
    log = Log(all_=100)
    for n in range(50_000):
        log.write(f"a text of its own: {n}")
    assert len(log.passed) == 100
    assert len(log.limit._causes) <= 1_001
    log.limit.close()
    assert any(event.startswith("lines of all kinds … ") for _, event, _ in log.summaries)
    left_out = sum(int(event.split(" … ")[1].split()[0].replace(",", "")) for _, event, _ in log.summaries)
    assert left_out == 49_900


def test_a_hundred_thousand_denials_cost_a_bounded_number_of_bytes(tmp_path):
    file, limit = tmp_path / "mats.log", RepeatLimit(lambda level, event, **fields: None, lambda: 0.0)
    handler = LogFile(file, maxBytes=10_000_000, backupCount=5, encoding="utf-8")
    operations = 0
    for n in range(100_000):
        line = {"event": "order rejected", "name": "core/risk", "strategy": "bad", "instrument": "SPY", "code": "BUSY",
                "text": f"{n} requests are under way"}  # fmt: skip
        try:
            text = json.dumps(limit(None, "info", line))
        except structlog.DropEvent:
            continue
        operations += 1
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, text, None, None))
    handler.close()
    assert operations == 20
    assert file.stat().st_size < 5_000


def test_a_long_text_loses_its_middle_and_says_how_much():
    text = cut("a" * 1_500 + "b" * 50_000_000 + "c" * 1_500)
    assert len(text) < 2_100
    assert text.startswith("aaa")
    assert text.endswith("ccc")
    assert "50,001,000 characters cut" in text
    assert cut("short") == "short"


def test_every_field_is_within_its_bound_whatever_it_is():
    class Hostile:
        def __repr__(self):
            raise ValueError("no")

    fields = {"event": "e" * 3_000, "n": 7, "many": list(range(10_000)), "few": [1], "bad": Hostile()}
    line = cut_fields(None, "info", fields)
    assert len(line["event"]) < 2_100
    assert len(line["many"]) < 2_100
    assert (line["n"], line["few"], line["bad"]) == (7, [1], "<repr of Hostile raised ValueError>")
    assert len(json.dumps(line)) < 5_000


class SmallDisk(io.StringIO):
    """A file on a disk that is full while `full` is set."""

    full = False

    def write(self, text):
        if SmallDisk.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


@pytest.fixture
def handler(tmp_path, monkeypatch):
    made = LogFile(tmp_path / "mats.log", maxBytes=0, backupCount=0, encoding="utf-8")
    really = made._open

    def opened():
        if SmallDisk.full:
            raise OSError(28, "No space left on device")
        return really()

    monkeypatch.setattr(made, "_open", opened)
    yield made
    SmallDisk.full = False
    made.close()


def test_a_full_disk_is_one_line_at_its_begin_and_one_at_its_end(handler, tmp_path):
    def write(text):
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, text, None, None))

    said = io.StringIO()
    with redirect_stderr(said):
        write("before")
        handler.stream.close()
        SmallDisk.full, handler.stream = True, SmallDisk()
        for n in range(1_000):
            write(f"lost {n}")
        SmallDisk.full = False
        write("after")
        write("and on")
    assert said.getvalue().splitlines() == [
        "mats: the log cannot be written ([Errno 28] No space left on device); its lines are lost until it can"
    ]
    lines = (tmp_path / "mats.log").read_text().splitlines()
    assert lines == ["before", "after", "the log could not be written; 1,000 lines are lost", "and on"]


def test_a_line_that_was_written_in_part_does_not_swallow_the_next_one(handler, tmp_path):
    with redirect_stderr(io.StringIO()):
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "whole", None, None))
        handler.stream.write("par")
        handler.stream.close()
        SmallDisk.full, handler.stream = True, SmallDisk()
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "lost", None, None))
        SmallDisk.full = False
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "next", None, None))
    assert (tmp_path / "mats.log").read_text().splitlines()[:3] == ["whole", "par", "next"]
