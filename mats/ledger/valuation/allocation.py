"""The equity that each strategy may trade with, by account, and its changes."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from mats.ledger.valuation.broker_figures import AccountFigures
from mats.model import ZERO, AccountId, Figure, StrategyName, TargetWeight, Unknown


def strategy_equity(explicit: Decimal | None, target_weight: Decimal | None, total_equity: Decimal | None) -> Figure:
    """The equity of a strategy in the base currency: the explicit one, else `target_weight × total_equity`."""
    if explicit is not None:
        return explicit
    if target_weight is None:
        return Unknown("the strategy has neither an equity of its own nor a target weight")
    if total_equity is None:
        return Unknown("the account's total equity is not known yet")
    return target_weight * total_equity


class Allocation:
    """Equities in the base currency: an explicit one of a strategy wins over its weight."""

    def __init__(self) -> None:
        self.accounts: tuple[AccountId, ...] = ()
        self.equities: dict[StrategyName, Decimal | None] = {}
        self._shares: tuple[TargetWeight, ...] = ()
        self._explicit: dict[StrategyName, Decimal] = {}

    def set_weights(self, shares: Sequence[TargetWeight]) -> None:
        """Replace the strategies and their weights."""
        self._shares = tuple(shares)

    def set_explicit(self, equities: Mapping[StrategyName, Decimal], unread: Collection[StrategyName] = ()) -> None:
        """Replace the explicit equities; those of `unread` strategies stay."""
        kept = {strategy: equity for strategy, equity in self._explicit.items() if strategy in unread}
        self._explicit = {**equities, **kept}

    def account_strategies(self) -> tuple[tuple[AccountId, StrategyName], ...]:
        """Account and name of each strategy that may have an explicit equity; none while no account is known."""
        pairs = ((self._account(share), share.strategy) for share in self._shares)
        return tuple((account, strategy) for account, strategy in pairs if account)

    def of_account(self, account: AccountId) -> dict[StrategyName, Decimal | None]:
        """The equities of the strategies that trade in an account."""
        return {s.strategy: self.equities.get(s.strategy) for s in self._shares if self._account(s) == account}

    def overcommitted(self, figures: AccountFigures) -> dict[AccountId, str]:
        """The accounts whose strategies' equities exceed the account's because some are explicit; one sentence each.

        Weights alone are checked by `check_weights`; unknown equities are left out.
        """
        accounts = {self._account(share) for share in self._shares if share.strategy in self._explicit}
        found = {}
        for account in sorted(accounts):
            total, given = figures.total_equity(account), self.of_account(account)
            whole = sum((equity for equity in given.values() if equity is not None), ZERO)
            if total is not None and whole > total:
                own = ", ".join(f"{name} {self._explicit[name]:,.2f}" for name in given if name in self._explicit)
                found[account] = (
                    f"the strategies of {account} have equities of {whole:,.2f} in total and it is worth {total:,.2f}"
                    f" (explicit: {own}); lower one with `mats equity`, or a target weight"
                )
        return found

    def changes(self, figures: AccountFigures) -> dict[StrategyName, Decimal | None]:
        """The equities that changed, None where one is not known."""
        changed = {}
        for share in self._shares:
            total = figures.total_equity(self._account(share))
            equity = strategy_equity(self._explicit.get(share.strategy), share.weight, total)
            value = None if isinstance(equity, Unknown) else equity
            if share.strategy not in self.equities or self.equities[share.strategy] != value:
                changed[share.strategy] = self.equities[share.strategy] = value
        return changed

    def _account(self, share: TargetWeight) -> AccountId:
        return share.account or next(iter(self.accounts), "")
