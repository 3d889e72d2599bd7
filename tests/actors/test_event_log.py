"""What was lost is said once for each cause, and refused messages are said as errors."""

from structlog.testing import capture_logs

from actors.daemon.event_log import DeadLetterLog, log_event
from mats.runtime import ChildFailed, ChildStarted, DeadLetter, MessagesRefused


def letter(reason="full", target="core/risk", message="x"):
    return DeadLetter(reason, target, message, 1, 0, 1)


def test_a_lost_message_is_logged_once_for_each_cause():
    log = DeadLetterLog()
    with capture_logs() as lines:
        for lost in (letter(), letter(), letter(reason="closed"), letter(target="store"), letter(message=7), letter()):
            log(lost)
    assert [(line["reason"], line["actor"], line["message"]) for line in lines] == [
        ("full", "core/risk", "str"),
        ("closed", "core/risk", "str"),
        ("full", "store", "str"),
        ("full", "core/risk", "int"),
    ]
    assert {line["log_level"] for line in lines} == {"warning"}


def test_a_refusal_is_an_error_a_start_is_not_and_a_failure_was_said_already():
    with capture_logs() as lines:
        log_event(MessagesRefused("strategies/a", "BarArrived", 20_000))
        log_event(ChildStarted("strategies/a", 1))
        log_event(ChildFailed("strategies/a", 1, "failed", "why"))
    assert [(line["event"], line["log_level"], line["actor"]) for line in lines] == [
        ("MessagesRefused", "error", "strategies/a"),
        ("ChildStarted", "info", "strategies/a"),
    ]
