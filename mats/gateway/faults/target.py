"""The gateway as a whole, as faults treat it: its port, its connections, its clock, its memory."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from mats.gateway.accounts import AccountService
from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data import MarketDataService
from mats.gateway.faults.plan import Audience
from mats.gateway.listener import Listener
from mats.gateway.orders import OrderService, OrderStore
from mats.gateway.pending_connections import PendingConnections
from mats.model import DAY, SECOND, AccountId, InstrumentId
from mats.venue import ShiftedClock
from mats.venue.matching import Account, Exchange

EARLIEST, LATEST = 946_771_200 * SECOND, 4_102_444_800 * SECOND
"""The second day of 2000, and the first of 2100."""


class FaultTarget(msgspec.Struct, frozen=True):
    """The parts of a gateway."""

    hub: ClientRegistry
    listener: Listener
    lobby: PendingConnections
    clock: ShiftedClock
    exchange: Exchange
    portfolio: AccountService
    blotter: OrderStore
    desk: OrderService
    data: MarketDataService
    kept: list[bytes]
    """The checkpoint, or nothing."""

    def restart(self, seconds: float, rewind: int, *, checkpoint: bool) -> None:
        """Ends every connection, forgets what is not stored, and listens again after `seconds`. Raises LookupError
        where a checkpoint is wanted and none was taken."""
        if checkpoint:
            self._restore()
        if seconds:
            self.listener.shut_for(seconds)
        self.hub.end_turn()
        for session in self.hub:
            session.close()
        self.lobby.close()
        self.desk.forget_untransmitted()
        self.blotter.rewind(rewind)

    def check(self, instrument: InstrumentId, account: AccountId) -> None:
        """Raises LookupError where the instrument or a named account is not there."""
        try:
            self.exchange.quote(instrument)
        except KeyError as error:
            raise LookupError(f"instrument {instrument!r} is not listed; list it or choose another") from error
        if account and account not in self.portfolio.accounts:
            raise LookupError(f"account {account!r} is unknown; there are {', '.join(self.portfolio.accounts)}")

    def quantity(self, instrument: InstrumentId, account: AccountId) -> Decimal:
        """What an account holds, signed; of the first account where none is named."""
        return self._account(account).quantity(instrument)

    def transfer(self, instrument: InstrumentId, quantity: Decimal, price: Decimal | None, account: AccountId) -> None:
        """A position comes in or leaves without an execution; everybody is told of it."""
        paid = self.exchange.mark(instrument) if price is None else price
        held = self._account(account)
        held.transfer(instrument, quantity, paid)
        self.portfolio.moved(held, instrument)

    def split(self, instrument: InstrumentId, new: int, old: int) -> None:
        """Every `old` units become `new`, in all accounts. Raises ValueError where that is no split."""
        if new <= 0 or old <= 0:
            raise ValueError(f"a {new}:{old} split is none; give two numbers above zero")
        for account in self.portfolio.accounts.values():
            if account.quantity(instrument):
                account.split(instrument, new, old)
                self.portfolio.moved(account, instrument)

    def _account(self, name: AccountId) -> Account:
        return self.portfolio.accounts[name or next(iter(self.portfolio.accounts))]

    def take_checkpoint(self) -> None:
        accounts = msgspec.json.encode(list(self.portfolio.accounts.values()))
        self.kept[:] = [accounts, self.blotter.image()]

    def _restore(self) -> None:
        if not self.kept:
            raise LookupError("no checkpoint was taken; do that first")
        accounts, image = self.kept
        for order in tuple(self.exchange.working()):
            self.exchange.withdraw(order)
        self.blotter.restore(image)
        for account in msgspec.json.decode(accounts, type=list[Account]):
            self.portfolio.replace(account)
        for order in self.blotter.orders():
            if order.working:
                self.exchange.restore(order)

    def shift_clock(self, seconds: float) -> None:
        """Moves the clock, forth or back. Raises ValueError where that leaves the years that the market knows."""
        moved = self.clock.now() + seconds * SECOND
        if not EARLIEST <= moved <= LATEST:
            raise ValueError(f"a shift by {seconds:g} s leaves the years 2000 to 2100; shift less")
        self.clock.shift += round(seconds * SECOND)

    def roll_day(self) -> None:
        """Moves the clock to the next midnight UTC and forgets the executions before it."""
        midnight = (self.clock.now() // DAY + 1) * DAY
        self.clock.shift += midnight - self.clock.now()
        self.blotter.forget_fills(midnight)
        self.desk.roll(midnight)

    def lines(self, audience: Audience) -> Iterable[tuple[int, int]]:
        """Client id and request or order id of what is open."""
        if audience == "orders":
            return [(order.client_id, order.order_id) for order in self.exchange.working()]
        return self.data.lines(audience)
