"""What the runtime reports, in the log: what happened in the tree, and the first lost message for each cause."""

import msgspec
import structlog

from mats.runtime import DeadLetter, Event
from mats.runtime import events as happened

SERIOUS = (
    happened.ChildParked | happened.Abandoned | happened.Escalated | happened.HandlerSlow | happened.MessagesRefused
)


def log_event(event: Event) -> None:
    """Log supervision events: failures as errors, everything else as information."""
    if isinstance(event, happened.ChildFailed):
        return  # the runtime has logged it where it happened
    log = structlog.get_logger(name="supervision")
    write = log.error if isinstance(event, SERIOUS) else log.info
    write(
        type(event).__name__,
        **{k: v for k, v in msgspec.structs.asdict(event).items() if k != "name"},
        actor=event.name,
    )


class DeadLetterLog:
    """Logs the first dead letter of each reason, receiver and class; the screen and the summary count all of them."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str, str]] = set()

    def __call__(self, letter: DeadLetter) -> None:
        kind = type(letter.message).__name__
        if (letter.reason, letter.target, kind) in self._seen:
            return
        self._seen.add((letter.reason, letter.target, kind))
        log = structlog.get_logger(name="dead letters")
        log.warning(
            "message lost; more of this kind are only counted",
            actor=letter.target,
            reason=letter.reason,
            message=kind,
            error=letter.error,
        )
