"""The log is JSON lines in a file, of bounded size, and on standard error where configured."""

import json
import subprocess
import sys

SPEAK = """
import logging, sys, time
from pathlib import Path
import structlog
from mats import logging_setup
logging_setup.FILE_BYTES, logging_setup.FILES_KEPT = 2_000, 2
logging_setup.configure_logging("info", Path(sys.argv[1]), time.monotonic, to_stderr=sys.argv[2] == "yes")
log = structlog.get_logger(name="core/risk")
log.debug("too quiet")
log.info("order sent", intent="i1")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
logging.getLogger("elsewhere").warning("from a library")
logging.getLogger("ib_async.wrapper").error("muted")
for n in range(int(sys.argv[3])):
    log.info(f"filler {n}")
"""


def write_lines(file, to_stderr="no", lines=0):
    done = subprocess.run(
        [sys.executable, "-c", SPEAK, str(file), to_stderr, str(lines)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_each_event_is_a_line_of_json_in_the_file_only(tmp_path):
    file = tmp_path / "logs" / "mats.log"
    assert write_lines(file) == ""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["order sent", "failed", "from a library"]
    assert (lines[0]["name"], lines[0]["intent"], lines[0]["level"]) == ("core/risk", "i1", "info")
    assert lines[0]["timestamp"].endswith("Z")
    assert "ZeroDivisionError" in lines[1]["exception"]
    assert lines[2]["level"] == "warning"


def test_standard_error_gets_the_same_lines_where_asked(tmp_path):
    file = tmp_path / "mats.log"
    events = [json.loads(line)["event"] for line in write_lines(file, "yes").splitlines()]
    assert events == [json.loads(line)["event"] for line in file.read_text().splitlines()]
    assert len(events) == 3


def test_the_file_is_rotated_and_the_oldest_are_dropped(tmp_path):
    write_lines(tmp_path / "mats.log", lines=300)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["mats.log", "mats.log.1", "mats.log.2"]
    assert all(file.stat().st_size <= 2_000 for file in files)
