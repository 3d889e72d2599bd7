"""Hold several instruments in fixed proportions, rebalanced on a schedule."""

from mats.strategy import Strategy


class Rebalancer(Strategy):
    """Every `minutes` minutes, brings each instrument back to its weight if it has drifted by `band` or more."""

    class Params(Strategy.Params, frozen=True):
        weights: dict[str, float]
        """Share of the equity by instrument; negative is short."""
        minutes: int = 5
        band: float = 0.002
        """Share of the equity by which a holding may deviate from its weight before it is traded."""
        bar_seconds: int = 60
        warmup: int = 1

        def __post_init__(self) -> None:
            if (gross := sum(abs(weight) for weight in self.weights.values())) > 1:
                raise ValueError(f"weights add up to {gross:g}, which is more than the equity")

    params: Params

    def instruments(self) -> tuple[str, ...]:
        return tuple(self.params.weights)

    def on_start(self) -> None:
        self.every("rebalance", minutes=self.params.minutes)

    def on_timer(self, name: str) -> None:
        for instrument, weight in self.params.weights.items():
            share = self.share_of(instrument)
            if share is not None and abs(share - weight) >= self.params.band:
                self.signal(instrument, weight, reason=f"share {share:.4f}, target {weight:.4f}")

    def share_of(self, instrument: str) -> float | None:
        """What part of the equity the instrument makes up at its last close; None while that is not known."""
        bars, equity = self.history(instrument, 1), self.broker.equity()
        if not bars or not equity:
            return None
        return float(self.broker.position(instrument).quantity) * bars[-1].close / float(equity)
