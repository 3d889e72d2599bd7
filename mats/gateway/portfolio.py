"""Accounts as clients see them: positions, account values, summaries, profit and loss."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from mats.gateway import responses
from mats.gateway.hub import Hub
from mats.gateway.session import Session
from mats.gateway.state import State
from mats.gateway.wire import Fields, Message
from mats.model.instrument import Instrument, InstrumentId
from mats.model.orders import AccountId
from mats.venue.account import Account, Mark, Worth, account_values
from mats.venue.clock import Clock
from mats.venue.margin import MarginModel
from mats.venue.universe import Universe

SUMMARY_LIMIT = 2
"""Account summaries a client may have open at once. Source: IB's documentation of reqAccountSummary."""


LEDGER_TAGS = frozenset({"CashBalance", "TotalCashBalance", "ExchangeRate"})

T = TypeVar("T")
Table = dict[tuple[int, int], T]
"""Subscriptions by client id and request id."""

Handler = Callable[[Session, Fields], None]


class Portfolio:
    """The accounts, and the subscriptions to them. A trade's news leave at the end of the turn, once per instrument."""

    def __init__(
        self, hub: Hub, state: State, clock: Clock, universe: Universe, mark: Mark, margin: MarginModel
    ) -> None:
        self._hub, self._state, self._clock = hub, state, clock
        self._universe, self._mark, self._margin = universe, mark, margin
        self.accounts: dict[AccountId, Account] = {}
        self._positions: set[int] = set()
        self._updates: dict[int, AccountId] = {}
        self._multi: Table[tuple[AccountId, str]] = {}
        self._summaries: Table[tuple[str, str]] = {}
        self._profits: Table[tuple[AccountId, int]] = {}
        self._news: dict[tuple[AccountId, InstrumentId], None] = {}
        hub.at_end_of_turn(self._tell_news)

    def open(self, names: tuple[AccountId, ...], cash: Decimal) -> None:
        """Brings back the stored accounts; a name that is new starts with `cash` of the base currency."""
        stored = self._state.load("account", Account)
        for name in names:
            self.accounts[name] = stored.get(name) or Account(name, {"USD": cash})
            self._state.put("account", name, self.accounts[name])
            for instrument in self.accounts[name].holdings:
                self._universe.wake(instrument)

    def replace(self, account: Account) -> None:
        """Takes back an earlier state of an account; nobody is told."""
        self.accounts[account.id] = account
        self._state.put("account", account.id, account)

    def requests(self) -> dict[int, Handler]:
        return {
            6: self._account_updates,
            61: self._request_positions,
            62: self._request_summary,
            63: lambda session, fields: _cancel_versioned(self._summaries, session, fields),
            64: lambda session, fields: self._positions.discard(session.client_id),
            76: self._request_multi,
            77: lambda session, fields: _cancel_versioned(self._multi, session, fields),
            92: self._request_profit,
            93: lambda session, fields: _cancel(self._profits, session, fields),
            94: self._request_profit_single,
            95: lambda session, fields: _cancel(self._profits, session, fields),
        }

    def forget(self, client_id: int) -> None:
        """Drops the subscriptions of a client that has left."""
        self._positions.discard(client_id)
        self._updates.pop(client_id, None)
        _drop(self._multi, client_id)
        _drop(self._summaries, client_id)
        _drop(self._profits, client_id)

    def worth(self, account: Account) -> Worth:
        return account.worth(self._universe, self._mark, self._margin)

    def changed(self, account: Account, instrument: Instrument) -> None:
        """Notes a trade; subscribers hear of it at the end of the turn."""
        self._state.put("account", account.id, account)
        self._news[account.id, instrument.id] = None

    def refresh(self) -> None:
        """Sends account values and portfolio to their subscribers, as a gateway does every three minutes."""
        for client_id, name in self._updates.items():
            self._send_account(client_id, self.accounts[name])
        self._send_subscriptions(set(self.accounts))
        self._hub.wake()

    # positions

    def _request_positions(self, session: Session, fields: Fields) -> None:
        self._positions.add(session.client_id)
        for account in self.accounts.values():
            for name, holding in account.holdings.items():
                if holding.quantity:
                    session.send(self._position(account, name))
        session.send(responses.position_end())

    def _position(self, account: Account, name: InstrumentId) -> Message:
        instrument, holding = self._universe.instrument(name), account.holdings[name]
        return responses.position(account.id, instrument, holding.quantity, holding.price * instrument.multiplier)

    # account values

    def _account_updates(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        subscribe, name = fields.flag(), fields.text()
        if not subscribe:
            self._updates.pop(session.client_id, None)
            return
        account = self.accounts.get(name or next(iter(self.accounts)))
        if account is None:
            session.send(responses.error(-1, 321, f"Error validating request: account {name} is unknown"))
            return
        self._updates[session.client_id] = account.id
        self._send_account(session.client_id, account)
        session.send(responses.account_download_end(account.id))

    def _send_account(self, client_id: int, account: Account) -> None:
        for tag, value, currency in self.values(account):
            self._hub.tell(client_id, responses.account_value(account.id, tag, value, currency))
        for name in account.holdings:
            self._hub.tell(client_id, self._portfolio_value(account, name))
        self._hub.tell(client_id, responses.account_time(self._clock.now()))

    def values(self, account: Account) -> list[tuple[str, str, str]]:
        """Tag, value, currency of each account value, at the present marks."""
        return account_values(account, self.worth(account), self._universe, self._mark)

    def _portfolio_value(self, account: Account, name: InstrumentId) -> Message:
        holding = account.holdings[name]
        return responses.portfolio_value(
            account.id,
            self._universe.instrument(name),
            holding.quantity,
            self._mark(name) or holding.price,
            holding.price,
            holding.realized,
        )

    def _request_multi(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        request_id, name, model = fields.integer(), fields.text(), fields.text()
        account = self.accounts.get(name or next(iter(self.accounts)))
        if account is None:
            session.send(responses.error(request_id, 321, f"Error validating request: account {name} is unknown"))
            return
        self._multi[session.client_id, request_id] = (account.id, model)
        self._send_multi(session.client_id, request_id, account, model)
        session.send(responses.account_update_multi_end(request_id))

    def _send_multi(self, client_id: int, request_id: int, account: Account, model: str) -> None:
        for value in self.values(account):
            self._hub.tell(client_id, responses.account_update_multi(request_id, account.id, model, *value))

    def _request_summary(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        request_id, group, tags = fields.integer(), fields.text(), fields.text()
        if sum(client_id == session.client_id for client_id, _ in self._summaries) >= SUMMARY_LIMIT:
            text = "Error processing request.-'bP' : cause - Maximum number of account summary requests exceeded"
            session.send(responses.error(request_id, 322, text))
            return
        self._summaries[session.client_id, request_id] = (group, tags)
        self._send_summary(session.client_id, request_id, tags, set(self.accounts))
        session.send(responses.account_summary_end(request_id))

    def _send_summary(self, client_id: int, request_id: int, tags: str, names: set[AccountId]) -> None:
        wanted = {tag.partition(":")[0] for tag in tags.split(",")}
        for name in sorted(names):
            for tag, value, currency in self.values(self.accounts[name]):
                if tag in wanted or "All" in wanted or ("$LEDGER" in wanted and tag in LEDGER_TAGS):
                    self._hub.tell(client_id, responses.account_summary(request_id, name, tag, value, currency))

    # profit and loss

    def _request_profit(self, session: Session, fields: Fields) -> None:
        self._add_profit(session, fields.integer(), fields.text(), 0)

    def _request_profit_single(self, session: Session, fields: Fields) -> None:
        request_id, name = fields.integer(), fields.text()
        fields.skip(1)
        self._add_profit(session, request_id, name, fields.integer())

    def _add_profit(self, session: Session, request_id: int, name: AccountId, con_id: int) -> None:
        if name not in self.accounts:
            session.send(responses.error(request_id, 321, f"Error validating request: account {name} is unknown"))
            return
        self._profits[session.client_id, request_id] = (name, con_id)
        self._send_profit(session.client_id, request_id, self.accounts[name], con_id)

    def _send_profit(self, client_id: int, request_id: int, account: Account, con_id: int) -> None:
        if not con_id:
            worth = self.worth(account)
            self._hub.tell(client_id, responses.profit(request_id, worth.unrealized, worth.realized))
            return
        for name, holding in account.holdings.items():
            instrument = self._universe.instrument(name)
            if instrument.con_id == con_id:
                price = self._mark(name) or holding.price
                value = holding.quantity * price * instrument.multiplier
                unrealized = holding.quantity * (price - holding.price) * instrument.multiplier
                message = responses.profit_single(request_id, holding.quantity, unrealized, holding.realized, value)
                self._hub.tell(client_id, message)

    # news

    def _tell_news(self) -> None:
        if not self._news:
            return
        news, self._news = self._news, {}
        touched = {name for name, _ in news}
        for account_id, instrument in news:
            account = self.accounts[account_id]
            for client_id in self._positions:
                self._hub.tell(client_id, self._position(account, instrument))
            for client_id, name in self._updates.items():
                if name == account_id:
                    self._hub.tell(client_id, self._portfolio_value(account, instrument))
        for client_id, name in self._updates.items():
            if name in touched:
                for value in self.values(self.accounts[name]):
                    self._hub.tell(client_id, responses.account_value(name, *value))
        self._send_subscriptions(touched)

    def _send_subscriptions(self, touched: set[AccountId]) -> None:
        for (client_id, request_id), (name, model) in self._multi.items():
            if name in touched:
                self._send_multi(client_id, request_id, self.accounts[name], model)
        for (client_id, request_id), (_, tags) in self._summaries.items():
            self._send_summary(client_id, request_id, tags, touched)
        for (client_id, request_id), (name, con_id) in self._profits.items():
            if name in touched:
                self._send_profit(client_id, request_id, self.accounts[name], con_id)


def _cancel_versioned(table: Table[T], session: Session, fields: Fields) -> None:
    fields.skip(1)
    _cancel(table, session, fields)


def _cancel(table: Table[T], session: Session, fields: Fields) -> None:
    table.pop((session.client_id, fields.integer()), None)


def _drop(table: Table[T], client_id: int) -> None:
    for key in [key for key in table if key[0] == client_id]:
        del table[key]
