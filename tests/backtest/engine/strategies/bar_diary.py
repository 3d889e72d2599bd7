"""Writes down every close, with what each instrument showed at it."""

from mats.strategy import Bar, Strategy


class BarDiary(Strategy):
    class Params(Strategy.Params, frozen=True):
        instruments: tuple[str, ...]
        bar_seconds: int = 300
        larger: int = 86_400
        session: str = "regular"

    params: Params
    pages: list = []  # noqa: RUF012 - the test reads it, where the strategy is out of reach

    def larger_bars(self):
        return {self.params.larger: 0} if self.params.larger else {}

    def shown(self):
        sizes = (None, *self.larger_bars())
        return [(name, [self.history(name, 2, seconds=size) for size in sizes]) for name in self.params.instruments]

    def on_start(self) -> None:
        self.pages.append(("start", None, self.shown()))

    def on_bar(self, bar: Bar) -> None:
        self.pages.append(("bar", bar.end, bar, self.shown()))

    def on_bars(self, bars) -> None:
        self.pages.append(("close", next(iter(bars.values())).end, dict(bars), self.shown()))
