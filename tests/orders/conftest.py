"""The ledger's builders of fills serve here, too."""

from tests.ledger.conftest import execution, log

__all__ = ["execution", "log"]
