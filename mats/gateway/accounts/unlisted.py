"""Contracts that an account holds and no table lists: they are listed by their description, and survive a restart."""

import msgspec

from mats.gateway.persistence import GatewayState
from mats.model import Instrument
from mats.venue.markets import ContractQuery, Listing, Universe, listing_of

VOLATILITY = 0.2
"""Of the random walk of such a contract."""


class UnlistedContracts:
    """Finds a described contract, or lists it."""

    def __init__(self, universe: Universe, state: GatewayState) -> None:
        self._universe, self._state = universe, state
        for listing in state.load("listing", Listing).values():
            universe.add(listing)

    def instrument(self, description: dict[str, object], price: float) -> Instrument:
        """The only contract that fits a description; a new one around `price` if none does.

        Raises ValueError if several fit, or if it lacks what a new one needs: symbol, type, currency, contract id.
        """
        known = self._universe.by_con_id(int(str(description.get("con_id") or 0)))
        if known:
            return known
        described = {key: value for key, value in description.items() if key in ContractQuery.__struct_fields__}
        searched = {key: str(value) for key, value in described.items() if key != "con_id"}
        found = self._universe.find(msgspec.convert(searched, ContractQuery, strict=False))
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(f"{other.local_symbol} ({other.con_id})" for other in found)
            raise ValueError(
                f"{described['symbol']} fits several contracts: {ids}; add the trading class or the contract id"
            )
        listing = listing_of({**description, "price": price, "volatility": VOLATILITY, "quoted": False})
        self._universe.add(listing)
        self._state.put("listing", listing.instrument.id, listing)
        return listing.instrument
