"""Two independent decoders of the protocol, and what makes their answers comparable."""

import contextlib
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from ib_async.decoder import Decoder

from mats.gateway.faults.recording import read_record

UNSET = {"", "None", "0", "0.0", "-1", str(2**31 - 1), "False"}


class Calls:
    """A wrapper that writes down what a decoder calls. It has what ib_async's decoder asks of its wrapper besides."""

    defaultTimezone = UTC

    ib = SimpleNamespace(TimezoneTWS=None)

    def __init__(self):
        self.made = []

    def taken(self):
        """What was called since the last time."""
        made, self.made = self.made, []
        return made

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *arguments: self.made.append((name, arguments))


def plain(value):
    """A value as both decoders would write it; an unset one is the empty text."""
    if isinstance(value, datetime):
        return str(int(value.timestamp()))
    if isinstance(value, (bool, int, float, Decimal)):
        number = float(value)
        return "" if number in (0.0, -1.0) or abs(number) > 1e37 or number == 2**31 - 1 else f"{number:.10g}"
    if value is None or str(value) in UNSET:
        return ""
    with contextlib.suppress(ValueError):
        return plain(datetime.strptime(str(value), "%Y%m%d %H:%M:%S UTC").replace(tzinfo=UTC))
    with contextlib.suppress(ValueError):
        return plain(float(str(value)))
    return str(value)


def parts(value):
    """The attributes of an object of either client; None of a plain value."""
    if hasattr(value, "_asdict"):
        return value._asdict()
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return vars(value) if hasattr(value, "__dict__") and type(value).__module__.startswith("ibapi") else None


def flat(value, name=""):
    """Every number and text inside, by its place."""
    if isinstance(value, (set, frozenset)):
        value = sorted(value)
    inside = parts(value)
    if inside is None and isinstance(value, (list, tuple)):
        inside = {f"[{i}]": part for i, part in enumerate(value)}
    if inside is None:
        return {name: plain(value)}
    return {key: text for part in inside for key, text in flat(inside[part], f"{name}.{part}").items()}


class Decoders:
    """ib_async's, and IB's own, for any version."""

    def __init__(self):
        self._calls = Calls()
        self._problems = []
        self._ours, self._theirs = {}, {}

    def by_ib_async(self, fields, version=178):
        """What ib_async makes of a message; it must not complain."""
        decoder = self._ours.get(version) or Decoder(self._calls, version)
        self._ours[version] = decoder
        decoder.logger = SimpleNamespace(exception=self._problems.append)
        decoder.interpret(list(fields))
        assert not self._problems, self._problems
        return self._calls.taken()

    def by_ibapi(self, fields, version=178):
        """What IB makes of it. Every field must be consumed: one too many is a layout that is not IB's."""
        ibapi = pytest.importorskip("ibapi.decoder", reason="the extra `clients` is not installed")
        decoder = self._theirs.get(version) or ibapi.Decoder(self._calls, version)
        self._theirs[version] = decoder
        raw = [field.encode() for field in fields]
        how = ibapi.Decoder.msgId2handleInfo[int(fields[0])]
        if how.processMeth is None:
            decoder.interpret(raw)
        else:
            rest = iter(raw)
            how.processMeth(decoder, rest)
            left = list(rest)
            assert not left, f"{fields[0]}: IB's decoder leaves {left}"
        return self._calls.taken()


@pytest.fixture
def decoders():
    return Decoders()


@pytest.fixture
def flatten():
    return flat


class Said:
    """The messages of a gateway, read from its record."""

    def __init__(self, path):
        self._path = path

    def messages(self, connection=None):
        """Every message but the greeting, in order."""
        entries = [entry for entry in read_record(self._path) if connection in (None, entry.connection)]
        said = [entry for entry in entries if entry.kind == "out"]
        greetings = {entry.connection: entry for entry in reversed(said)}.values()
        return [entry.fields for entry in said if entry not in greetings]

    def story(self, connection=None):
        """Order messages in order, in short: `openOrder Submitted`, `orderStatus Filled`, `execDetails`, ..."""
        return [words for fields in self.messages(connection) if (words := short(fields))]


def short(fields):
    match fields[0]:
        case "3":
            return f"orderStatus {fields[2]}"
        case "4" if int(fields[2]) > 0:
            return f"error {fields[3]}"
        case "5":
            statuses = [field for field in fields if field in STATUSES]
            return f"openOrder {statuses[0]}"
        case "11":
            return "execDetails"
        case "59":
            return "commissionReport"
    return ""


STATUSES = ("PreSubmitted", "Submitted", "Filled", "Cancelled", "Inactive", "PendingCancel")


@pytest.fixture
def said(tmp_path):
    """`said.path` is where a gateway records; `said.story()` the messages that it sent."""
    said = Said(tmp_path / "record.jsonl")
    said.path = said._path
    return said
