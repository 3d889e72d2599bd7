"""The parts of a gateway that faults act on: port, connections, clock, state."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from mats.gateway.accounts import AccountService, UnlistedContracts
from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data import MarketDataService
from mats.gateway.faults.fault_types import Audience
from mats.gateway.listener import Listener
from mats.gateway.orders import OrderService, OrderStore
from mats.gateway.pending_connections import PendingConnections
from mats.model import DAY, SECOND, AccountId, InstrumentId, exact
from mats.venue import ShiftedClock
from mats.venue.matching import Account, Exchange

MIN_TIME, MAX_TIME = 946_771_200 * SECOND, 4_102_444_800 * SECOND
"""The second day of 2000, and the first of 2100."""


class FaultTarget(msgspec.Struct, frozen=True):
    """The parts of a gateway, and the operations of faults on them."""

    clients: ClientRegistry
    listener: Listener
    pending: PendingConnections
    clock: ShiftedClock
    exchange: Exchange
    account_service: AccountService
    unlisted: UnlistedContracts
    store: OrderStore
    orders: OrderService
    data: MarketDataService
    checkpoint: list[bytes]
    """Encoded accounts and orders; empty without a checkpoint."""

    def restart(self, seconds: float, rewind: int, *, checkpoint: bool) -> None:
        """Closes every connection, drops state that is not stored, and listens again after `seconds`. Raises
        LookupError if a checkpoint is requested and none was taken."""
        if checkpoint:
            self._restore()
        if seconds:
            self.listener.close_for(seconds)
        self.clients.commit_and_flush()
        for session in self.clients:
            session.close()
        self.pending.close_all()
        self.orders.clear_untransmitted()
        self.store.rewind(rewind)

    def validate(self, instrument: InstrumentId, account: AccountId) -> None:
        """Raises LookupError if the instrument or the account, unless empty, does not exist."""
        try:
            self.exchange.quote(instrument)
        except KeyError as error:
            raise LookupError(f"instrument {instrument!r} is not listed; choose another") from error
        self.validate_account(account)

    def validate_account(self, account: AccountId) -> None:
        """Raises LookupError if the account, unless empty, does not exist."""
        if account and account not in self.account_service.accounts:
            raise LookupError(f"account {account!r} is unknown; use one of {', '.join(self.account_service.accounts)}")

    def quantity(self, instrument: InstrumentId, account: AccountId) -> Decimal:
        """The signed position of an account; of the first account if none is given."""
        return self._account(account).quantity(instrument)

    def transfer(self, instrument: InstrumentId, quantity: Decimal, price: Decimal | None, account: AccountId) -> None:
        """Transfers a position in or out without an execution, and notifies subscribers."""
        paid = self.exchange.mark(instrument) if price is None else price
        held = self._account(account)
        held.transfer(instrument, quantity, paid)
        self.account_service.publish_change(held, instrument)

    def hold(self, contract: dict[str, object], quantity: Decimal, cost: Decimal, account: AccountId) -> None:
        """Adds a position of a described contract, at an average cost with the multiplier. Raises ValueError for a
        description that is not enough."""
        self.validate_account(account)
        unit = exact(str(contract.get("multiplier", 1))) / exact(str(contract.get("price_magnifier", 1)))
        instrument = self.unlisted.instrument(contract, max(float(cost / unit), 0.01))
        held = self._account(account)
        held.transfer(instrument.id, quantity, cost / instrument.unit_value)
        held.holdings[instrument.id].stays = not quantity
        self.account_service.publish_change(held, instrument.id)

    def split(self, instrument: InstrumentId, new: int, old: int) -> None:
        """Splits the instrument in all accounts: `old` units become `new`. Raises ValueError for a bad ratio."""
        if new <= 0 or old <= 0:
            raise ValueError(f"invalid split ratio {new}:{old}; both numbers must be positive")
        for account in self.account_service.accounts.values():
            if account.quantity(instrument):
                account.split(instrument, new, old)
                self.account_service.publish_change(account, instrument)

    def _account(self, name: AccountId) -> Account:
        return self.account_service.accounts[name or next(iter(self.account_service.accounts))]

    def take_checkpoint(self) -> None:
        accounts = msgspec.json.encode(list(self.account_service.accounts.values()))
        self.checkpoint[:] = [accounts, self.store.snapshot()]

    def _restore(self) -> None:
        if not self.checkpoint:
            raise LookupError("no checkpoint to restore; take one first")
        accounts, orders = self.checkpoint
        for order in tuple(self.exchange.working()):
            self.exchange.remove(order)
        self.store.restore(orders)
        for account in msgspec.json.decode(accounts, type=list[Account]):
            self.account_service.restore(account)
        for order in self.store.orders():
            if order.working:
                self.exchange.restore(order)

    def shift_clock(self, seconds: float) -> None:
        """Shifts the clock forward or back. Raises ValueError outside of the years that the market supports."""
        moved = self.clock.now() + seconds * SECOND
        if not MIN_TIME <= moved <= MAX_TIME:
            raise ValueError(f"a shift by {seconds:g} s leaves the years 2000 to 2100; use a smaller one")
        self.clock.shift += round(seconds * SECOND)

    def roll_day(self) -> None:
        """Moves the clock to the next midnight UTC and drops the executions before it."""
        midnight = (self.clock.now() // DAY + 1) * DAY
        self.clock.shift += midnight - self.clock.now()
        self.store.remove_fills(midnight)
        self.orders.advance(midnight)

    def open_ids(self, audience: Audience) -> Iterable[tuple[int, int]]:
        """Client id and request or order id of the open subscriptions or orders."""
        if audience == "orders":
            return [(order.client_id, order.order_id) for order in self.exchange.working()]
        return self.data.open_ids(audience)
