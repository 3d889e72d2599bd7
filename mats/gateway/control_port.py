"""The control port: JSON lines from a person or program outside the API, each answered by one line.

A line is a fault (`{"do": "drop", "hard": true}`), a plan (`{"rows": [17], "fault": [...], "seed": 1}`), a query
(`{"show": "orders"}`: also executions, accounts, clients, faults, clock), or `{"disarm": true}`. The answer is
`{"ok": true}`, with the result of a query, or `{"error": "reason"}`. The port listens on the loopback interface only,
and answers only processes of the user that runs the gateway, and of root.
"""

import asyncio
import os
from types import TracebackType

import msgspec

from mats.gateway.faults import AnyFault, PlanError, parse_plan
from mats.gateway.loopback_peer import peer_uid
from mats.gateway.server import PaperGateway

MAX_LINE_BYTES = 1 << 16
STRANGER = "this gateway belongs to another user; connect as that user, and keep the connection open for the answer"


class ControlPort:
    """The control port of a running gateway: an async context manager. Raises OSError if it cannot listen."""

    host = "127.0.0.1"

    def __init__(self, gateway: PaperGateway, port: int = 0) -> None:
        self.port = port
        self._gateway = gateway
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> "ControlPort":
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=MAX_LINE_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in tuple(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if not _is_owners(writer):
                writer.write(msgspec.json.encode({"error": STRANGER}) + b"\n")
                await writer.drain()
                return
            while line := await reader.readline():
                if line.strip():
                    writer.write(msgspec.json.encode(self.answer(line)) + b"\n")
                    await writer.drain()
        except (ValueError, ConnectionError):  # a line beyond the limit, or the client disconnected
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    def answer(self, line: bytes) -> dict[str, object]:
        """Executes one line and returns its answer."""
        try:
            document = msgspec.json.decode(line, type=dict[str, object])
            return {"ok": True, **self._do(document)}
        except (msgspec.DecodeError, PlanError, LookupError, ValueError) as error:
            return {"error": str(error.args[0]) if error.args else repr(error)}

    def _do(self, document: dict[str, object]) -> dict[str, object]:
        faults = self._gateway.faults
        if "do" in document:
            faults.arm(msgspec.convert(document, AnyFault, str_keys=True))
        elif "disarm" in document:
            faults.disarm()
        elif "show" in document:
            return {"result": msgspec.to_builtins(self._show(str(document["show"])), str_keys=True)}
        else:
            plan = parse_plan(document, "control")
            faults.arm(*plan.faults, seed=plan.seed)
        return {}

    def _show(self, what: str) -> object:
        gateway = self._gateway
        match what:
            case "orders":
                return list(gateway.exchange.working())
            case "executions":
                return gateway.faults.fills()
            case "accounts":
                return list(gateway.account_service.accounts.values())
            case "clients":
                return sorted(gateway.connected)
            case "faults":
                return gateway.faults.armed
            case "clock":
                return gateway.clock.now()
        raise ValueError(f"cannot show {what!r}; use orders, executions, accounts, clients, faults or clock")


def _is_owners(writer: asyncio.StreamWriter) -> bool:
    """Whether the process at the other end is of this user or of root."""
    peer, own = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
    return peer_uid(peer, own) in (os.getuid(), 0)
