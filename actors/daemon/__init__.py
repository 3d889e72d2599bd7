"""The daemon from start to stop: plan, start-up, life, shutdown."""

from actors.daemon.app import run_daemon
from actors.daemon.process_end import end_process

__all__ = [
    "end_process",
    "run_daemon",
]
