"""Five-second bars of quotes, for instruments of which the broker streams no bars: delayed data are quotes only."""

from mats.model import SECOND, Bar, InstrumentId, Nanos, Quote

BAR: Nanos = 5 * SECOND


class QuoteBars:
    """Bars of the newest trade that quotes tell, or of their middle where none is told.

    Their times are those at which quotes came, so they are late by as much as the quotes are. They have no volume. Five
    seconds without a quote give no bar.
    """

    def __init__(self) -> None:
        self._bars: dict[InstrumentId, Bar | None] = {}
        self._over: list[Bar] = []

    def __contains__(self, instrument: object) -> bool:
        return instrument in self._bars

    def begin(self, instrument: InstrumentId) -> None:
        """Make bars of this instrument."""
        self._bars.setdefault(instrument, None)

    def end(self, instrument: InstrumentId) -> None:
        """The broker streams bars of it."""
        self._bars.pop(instrument, None)

    def add(self, quote: Quote) -> None:
        """A quote came; of others than those that were begun nothing is made."""
        price = quote.last if quote.last > 0 else quote.mid
        if quote.instrument not in self._bars or price <= 0:
            return
        start = quote.time // BAR * BAR
        bar = self._bars[quote.instrument]
        if bar is not None and bar.start < start:
            self._over.append(bar)
            bar = None
        high, low = (price, price) if bar is None else (max(bar.high, price), min(bar.low, price))
        opened = price if bar is None else bar.open
        self._bars[quote.instrument] = Bar(quote.instrument, start, BAR // SECOND, opened, high, low, price, 0.0)

    def over(self, now: Nanos) -> list[Bar]:
        """The bars that have ended by now, each once."""
        found, self._over = self._over, []
        for instrument, bar in self._bars.items():
            if bar is not None and bar.end <= now:
                found.append(bar)
                self._bars[instrument] = None
        return found
