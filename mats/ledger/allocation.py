"""Which strategy may work with how much of which account, and what of that has changed."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from mats.ledger.account import AccountFigures
from mats.ledger.equity import strategy_equity
from mats.ledger.figures import Unknown
from mats.model.orders import AccountId, StrategyName


class Share(msgspec.Struct, frozen=True):
    """A strategy, its account (empty: the first one) and its target weight."""

    strategy: StrategyName
    account: AccountId
    weight: Decimal


class Allocation:
    """Equities in the base currency, in two tiers: the explicit one of a strategy wins over its weight."""

    def __init__(self) -> None:
        self.accounts: tuple[AccountId, ...] = ()
        self.equities: dict[StrategyName, Decimal | None] = {}
        self._shares: tuple[Share, ...] = ()
        self._explicit: dict[StrategyName, Decimal] = {}

    def share_out(self, shares: Sequence[Share]) -> None:
        """The strategies that take part, instead of those before."""
        self._shares = tuple(shares)

    def set_explicit(self, equities: Mapping[StrategyName, Decimal]) -> None:
        """The equities that were given to strategies outright, instead of those before."""
        self._explicit = dict(equities)

    def places(self) -> tuple[tuple[AccountId, StrategyName], ...]:
        """In which account each strategy may have an explicit equity; none while no account is known."""
        places = ((self._account(share), share.strategy) for share in self._shares)
        return tuple((account, strategy) for account, strategy in places if account)

    def of_account(self, account: AccountId) -> dict[StrategyName, Decimal | None]:
        """The equities of the strategies that trade in an account."""
        return {s.strategy: self.equities.get(s.strategy) for s in self._shares if self._account(s) == account}

    def changes(self, figures: AccountFigures) -> dict[StrategyName, Decimal | None]:
        """The equities that are not what they were, None where one is not known."""
        changed = {}
        for share in self._shares:
            total = figures.total_equity(self._account(share))
            equity = strategy_equity(self._explicit.get(share.strategy), share.weight, total)
            value = None if isinstance(equity, Unknown) else equity
            if share.strategy not in self.equities or self.equities[share.strategy] != value:
                changed[share.strategy] = self.equities[share.strategy] = value
        return changed

    def _account(self, share: Share) -> AccountId:
        return share.account or next(iter(self.accounts), "")
