"""Accounts as clients see them: positions, account values, summaries, profit and loss."""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple, TypeVar

from mats.gateway.client_registry import ClientRegistry
from mats.gateway.persistence import GatewayState
from mats.gateway.protocol import ClientSession, Fields, Message, responses
from mats.model import AccountId, Clock, Currency, Instrument, InstrumentId
from mats.venue.markets import Universe
from mats.venue.matching import (
    BASE,
    LEDGER,
    Account,
    AccountValuation,
    AccountValues,
    Mark,
    account_values,
    fx_rate,
)
from mats.venue.models import MarginModel

SUMMARY_LIMIT = 2
"""Account summaries a client may have open at once. Source: IB's documentation of reqAccountSummary."""


LEDGER_TAGS = frozenset({"CashBalance", "TotalCashBalance", "NetLiquidationByCurrency", "ExchangeRate"})

UNKNOWN_ACCOUNT = "Error validating request.-'bN' : cause - Invalid account code {!r}"


class MultiSubscription(NamedTuple):
    """An account name, a model, and whether only cash and net liquidation are wanted."""

    account: str
    model: str
    ledger: bool


T = TypeVar("T")
SubscriptionTable = dict[tuple[int, int], T]
"""Subscriptions by client id and request id."""

RequestHandler = Callable[[ClientSession, Fields], None]


class AccountService:
    """The accounts, and the subscriptions to them. Changes are sent before the next flush, once per instrument."""

    def __init__(
        self,
        clients: ClientRegistry,
        state: GatewayState,
        clock: Clock,
        universe: Universe,
        mark: Mark,
        margin: MarginModel,
        base: Currency = BASE,
    ) -> None:
        self._clients, self._state, self._clock = clients, state, clock
        self._universe, self._mark, self._margin = universe, mark, margin
        self._base = base
        self.accounts: dict[AccountId, Account] = {}
        self._position_subscribers: set[int] = set()
        self._update_subscribers: dict[int, AccountId] = {}
        self._multi_values: SubscriptionTable[MultiSubscription] = {}
        self._summaries: SubscriptionTable[tuple[str, str]] = {}
        self._multi_positions: SubscriptionTable[tuple[AccountId, str]] = {}
        self._changes: dict[tuple[AccountId, InstrumentId], None] = {}
        clients.before_flush(self._send_changes)

    def load(self, names: tuple[AccountId, ...], cash: Decimal) -> None:
        """Loads the stored accounts; a new one starts with `cash` in the base currency."""
        stored = self._state.load("account", Account)
        for name in names:
            self.accounts[name] = stored.get(name) or Account(name, {self._base: cash})
            self._state.put("account", name, self.accounts[name])
            for instrument in self.accounts[name].holdings:
                self._universe.activate(instrument)

    def restore(self, account: Account) -> None:
        """Restores an earlier state of an account without notifying subscribers."""
        self.accounts[account.id] = account
        self._state.put("account", account.id, account)

    def requests(self) -> dict[int, RequestHandler]:
        return {
            6: self._account_updates,
            61: self._request_positions,
            62: self._request_summary,
            63: lambda session, fields: _cancel(self._summaries, session, fields),
            64: lambda session, fields: self._position_subscribers.discard(session.client_id),
            74: self._request_positions_multi,
            75: lambda session, fields: _cancel(self._multi_positions, session, fields),
            76: self._request_multi,
            77: lambda session, fields: _cancel(self._multi_values, session, fields),
        }

    def remove_client(self, client_id: int) -> None:
        """Drops the subscriptions of a client that has disconnected."""
        self._position_subscribers.discard(client_id)
        self._update_subscribers.pop(client_id, None)
        _remove_client(self._multi_values, client_id)
        _remove_client(self._summaries, client_id)
        _remove_client(self._multi_positions, client_id)

    def valuation(self, account: Account) -> AccountValuation:
        return account.valuation(self._universe, self._mark, self._margin)

    def queue_change(self, account: Account, instrument: Instrument) -> None:
        """Stores a traded account and queues the change for its subscribers."""
        self._state.put("account", account.id, account)
        self._changes[account.id, instrument.id] = None

    def publish_change(self, account: Account, instrument: InstrumentId) -> None:
        """Stores a change without a trade (transfer, split) and schedules its delivery to subscribers."""
        self._universe.activate(instrument)
        self.queue_change(account, self._universe.instrument(instrument))
        self._clients.schedule_flush()

    def publish_all(self) -> None:
        """Sends account values and portfolio to their subscribers, as a gateway does every three minutes."""
        for client_id, name in self._update_subscribers.items():
            self._send_account(client_id, self.accounts[name])
        self._send_subscriptions(set(self.accounts))
        self._clients.schedule_flush()

    # positions

    def _request_positions(self, session: ClientSession, fields: Fields) -> None:
        self._position_subscribers.add(session.client_id)
        for account in self.accounts.values():
            for name, holding in account.holdings.items():
                if holding.quantity or holding.stays:
                    session.send(self._position(account, name))
        session.send(responses.position_end())

    def _position(self, account: Account, name: InstrumentId) -> Message:
        instrument, holding = self._universe.instrument(name), account.holdings[name]
        return responses.position(account.id, instrument, holding.quantity, holding.price * instrument.unit_value)

    def _request_positions_multi(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        request_id, name, model = fields.integer(), fields.text(), fields.text()
        accounts = self._matching_accounts(name)
        if not accounts:
            session.send(responses.error(request_id, 321, UNKNOWN_ACCOUNT.format(name)))
            return
        self._multi_positions[session.client_id, request_id] = (name, model)
        for account in accounts:
            for instrument, holding in account.holdings.items():
                if holding.quantity:
                    session.send(self._position_multi(request_id, account, instrument, model))
        session.send(responses.position_multi_end(request_id))

    def _position_multi(self, request_id: int, account: Account, name: InstrumentId, model: str) -> Message:
        _, _, account_id, *rest = self._position(account, name)
        return responses.position_multi(request_id, str(account_id), tuple(rest), model)

    def _matching_accounts(self, name: str) -> list[Account]:
        """The account with this name; all accounts for an empty name or `All`; none if it is unknown."""
        if name in ("", "All"):
            return list(self.accounts.values())
        account = self.accounts.get(name)
        return [account] if account else []

    # account values

    def _account_updates(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        subscribe, name = fields.flag(), fields.text()
        if not subscribe:
            self._update_subscribers.pop(session.client_id, None)
            return
        account = self.accounts.get(name or next(iter(self.accounts)))
        if account is None:
            session.send(responses.error(-1, 321, UNKNOWN_ACCOUNT.format(name)))
            return
        others = [
            client
            for client, other in self._update_subscribers.items()
            if (client, other) != (session.client_id, account.id)
        ]
        if any(self._update_subscribers[client] != account.id and client != session.client_id for client in others):
            text = "Unable to subscribe to account as the following clients are subscribed to a different account:"
            session.send(responses.error(-1, 2101, f"{text} {','.join(map(str, others))}"))
            return
        self._update_subscribers[session.client_id] = account.id
        self._send_account(session.client_id, account)
        session.send(responses.account_download_end(account.id))

    def _send_account(self, client_id: int, account: Account) -> None:
        for tag, value, currency in self.values(account):
            self._clients.send(client_id, responses.account_value(account.id, tag, value, currency))
        for name in account.holdings:
            self._clients.send(client_id, self._portfolio_value(account, name))
        self._clients.send(client_id, responses.account_time(self._clock.now()))

    def in_base(self, amount: Decimal) -> Decimal:
        """An amount of the venue's currency in the base currency of the accounts."""
        return amount / fx_rate(self._base, self._universe, self._mark)

    def values(self, account: Account) -> AccountValues:
        """Tag, value, currency of each account value, at the current marks."""
        return account_values(account, self.valuation(account), self._universe, self._mark, self._base)

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

    def _request_multi(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        request_id, name, model, ledger = fields.integer(), fields.text(), fields.text(), fields.flag()
        accounts = self._matching_accounts(name)
        if not accounts:
            session.send(responses.error(request_id, 321, UNKNOWN_ACCOUNT.format(name)))
            return
        self._multi_values[session.client_id, request_id] = MultiSubscription(name, model, ledger)
        self._send_multi(session.client_id, request_id, accounts)
        session.send(responses.account_update_multi_end(request_id))

    def _send_multi(self, client_id: int, request_id: int, accounts: list[Account]) -> None:
        subscription = self._multi_values[client_id, request_id]
        for account in accounts:
            for tag, value, currency in self.values(account):
                if not subscription.ledger or tag in LEDGER_TAGS or tag == "NetLiquidation":
                    message = responses.account_update_multi(
                        request_id, account.id, subscription.model, tag, value, currency
                    )
                    self._clients.send(client_id, message)

    def _request_summary(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        request_id, group, tags = fields.integer(), fields.text(), fields.text()
        if not self._matching_accounts(group):
            session.send(responses.error(request_id, 321, UNKNOWN_ACCOUNT.format(group)))
            return
        if sum(client_id == session.client_id for client_id, _ in self._summaries) >= SUMMARY_LIMIT:
            text = "Error processing request.-'bP' : cause - Maximum number of account summary requests exceeded"
            session.send(responses.error(request_id, 322, text))
            return
        self._summaries[session.client_id, request_id] = (group, tags)
        self._send_summary(session.client_id, request_id, set(self.accounts))
        session.send(responses.account_summary_end(request_id))

    def _send_summary(self, client_id: int, request_id: int, touched: set[AccountId]) -> None:
        group, tags = self._summaries[client_id, request_id]
        wanted = {tag.strip() for tag in tags.split(",")}
        ledgers = {tag.partition(":")[2] or LEDGER for tag in wanted if tag.startswith("$LEDGER")}
        for account in self._matching_accounts(group):
            for tag, value, currency in self.values(account) if account.id in touched else ():
                in_ledger = tag in LEDGER_TAGS and ("ALL" in ledgers or currency in ledgers)
                if tag in wanted or "All" in wanted or in_ledger:
                    message = responses.account_summary(request_id, account.id, tag, value, currency)
                    self._clients.send(client_id, message)

    # changes

    def _send_changes(self) -> None:
        if not self._changes:
            return
        changes, self._changes = self._changes, {}
        touched = {name for name, _ in changes}
        for account_id, instrument in changes:
            account = self.accounts[account_id]
            for client_id in self._position_subscribers:
                self._clients.send(client_id, self._position(account, instrument))
            for (client_id, request_id), (name, model) in self._multi_positions.items():
                if account in self._matching_accounts(name):
                    self._clients.send(client_id, self._position_multi(request_id, account, instrument, model))
            for client_id, name in self._update_subscribers.items():
                if name == account_id:
                    self._clients.send(client_id, self._portfolio_value(account, instrument))
        for client_id, name in self._update_subscribers.items():
            if name in touched:
                for value in self.values(self.accounts[name]):
                    self._clients.send(client_id, responses.account_value(name, *value))
        self._send_subscriptions(touched)

    def _send_subscriptions(self, touched: set[AccountId]) -> None:
        for (client_id, request_id), subscription in self._multi_values.items():
            accounts = [account for account in self._matching_accounts(subscription.account) if account.id in touched]
            self._send_multi(client_id, request_id, accounts)
        for client_id, request_id in self._summaries:
            self._send_summary(client_id, request_id, touched)


def _cancel(table: SubscriptionTable[T], session: ClientSession, fields: Fields) -> None:
    fields.skip(1)
    table.pop((session.client_id, fields.integer()), None)


def _remove_client(table: SubscriptionTable[T], client_id: int) -> None:
    for key in [key for key in table if key[0] == client_id]:
        del table[key]
