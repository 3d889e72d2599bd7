"""Contract requests: details, option chains, matching symbols, market rules."""

from msgspec.structs import replace

from mats.gateway.accounts import RequestHandler
from mats.gateway.protocol import ClientSession, Fields, contract_messages, contract_query, responses
from mats.model import Clock, Instrument, SecType, to_datetime
from mats.venue.markets import VENUES, ContractQuery, Hours, Universe, market_rule, one_spelling, valid_exchanges

UNKNOWN = "No security definition has been found for the request"
AMBIGUOUS = "The contract description specified for {} is ambiguous."
SINGLY_LISTED = frozenset({SecType.CASH, SecType.INDEX, SecType.CRYPTO, SecType.CFD, SecType.BOND})
"""Types that have one exchange."""
MAX_SAMPLES = 16
"""Symbols in one answer. Source: IB's documentation of reqMatchingSymbols."""


class ContractService:
    """Answers contract requests from the universe; read-only."""

    def __init__(self, clock: Clock, universe: Universe, hours: Hours) -> None:
        self._clock, self._universe, self._hours = clock, universe, hours

    def requests(self) -> dict[int, RequestHandler]:
        return {9: self._details, 78: self._option_chain, 81: self._matching, 91: self._market_rule}

    def resolve(self, session: ClientSession, request_id: int, fields: Fields) -> Instrument | None:
        """Reads a contract; unless it matches exactly one instrument, sends error 200 and returns None."""
        query = contract_query(fields)
        found = self._universe.find(query)
        if len(found) == 1:
            return found[0]
        text = AMBIGUOUS.format(query.symbol or query.local_symbol) if found else UNKNOWN
        session.send(responses.error(request_id, 200, text))
        return None

    def _details(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        request_id, query = fields.integer(), contract_query(fields)
        expired = fields.flag()
        found = self._universe.find(query)
        if not expired:
            found = self._unexpired(found)
        if not found:
            session.send(responses.error(request_id, 200, UNKNOWN))
            return
        now = self._clock.now()
        for instrument in found:
            listing, under = self._universe.listing(instrument.id), self._universe.underlying(instrument)
            for exchange in _exchanges_shown(query, instrument):
                details = contract_messages.contract_details(request_id, listing, under, self._hours, now, exchange)
                session.send(details)
        session.send(contract_messages.contract_details_end(request_id))

    def _unexpired(self, instruments: list[Instrument]) -> list[Instrument]:
        today = self._today()
        return [instrument for instrument in instruments if not instrument.expiry or instrument.expiry >= today]

    def _today(self) -> str:
        return to_datetime(self._clock.now()).strftime("%Y%m%d")

    def _option_chain(self, session: ClientSession, fields: Fields) -> None:
        """Sends one page per exchange. The exchange of options on futures is empty for options on stocks."""
        request_id, symbol = fields.integer(), fields.text()
        fields.skip(1)
        sec_type, con_id = fields.text(), fields.integer()
        underlying = self._universe.by_con_id(con_id)
        if underlying is None or (underlying.symbol, underlying.sec_type) != (symbol, sec_type):
            session.send(responses.error(request_id, 200, UNKNOWN))
            return
        today = self._today()
        for chain in self._universe.chains(underlying.id):
            coming = replace(chain, expiries=[expiry for expiry in chain.expiries if expiry >= today])
            smart = ("SMART", *VENUES[SecType.OPTION, "USD"]) if chain.exchange == "SMART" else (chain.exchange,)
            for exchange in smart if coming.expiries else ():
                session.send(contract_messages.option_parameters(request_id, exchange, underlying, coming))
        session.send(contract_messages.option_parameters_end(request_id))

    def _matching(self, session: ClientSession, fields: Fields) -> None:
        request_id, pattern = fields.integer(), fields.text()
        found = self._universe.search(pattern)[:MAX_SAMPLES] if pattern else []
        samples = [(instrument, self._universe.derivatives(instrument)) for instrument in found]
        session.send(contract_messages.symbol_samples(request_id, samples))

    def _market_rule(self, session: ClientSession, fields: Fields) -> None:
        rule = fields.integer()
        increments = market_rule(rule)
        if increments is None:
            text = f"Error validating request.-'cx' : cause - Market rule {rule} is unknown"
            session.send(responses.error(-1, 321, text))
        else:
            session.send(contract_messages.market_rule(rule, increments))


def _exchanges_shown(query: ContractQuery, instrument: Instrument) -> list[str]:
    """The exchanges at which details are given: all of them if only a description without one was given."""
    if query.con_id or query.exchange or instrument.sec_type in SINGLY_LISTED:
        return [one_spelling(query.exchange) or instrument.exchange]
    return valid_exchanges(instrument)
