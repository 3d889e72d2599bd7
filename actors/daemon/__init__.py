"""The daemon from start to stop: plan, start-up, life, shutdown."""

from actors.daemon.app import run_daemon

__all__ = [
    "run_daemon",
]
