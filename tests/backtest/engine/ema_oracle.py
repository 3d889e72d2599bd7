"""The EMA strategy worked out by hand in one loop, without any of the engine: half of the equity while fast > slow."""

from decimal import Decimal

from mats.model.bar_columns import BarColumns

RATE = Decimal("0.005")


def oracle(bars: BarColumns, fast: int, slow: int, capital: Decimal = Decimal(1_000_000)):
    """Fills as (time, side, quantity, price), and the final equity."""
    cash, held, fills, wanted, target = capital, 0, [], None, None
    quick = sluggish = None
    rows = zip(bars.start.tolist(), bars.open.tolist(), bars.close.tolist(), strict=True)
    for number, (start, opened, closed) in enumerate(rows, 1):
        if wanted:
            price = Decimal(repr(opened))
            cash -= wanted * price + abs(wanted) * RATE
            held += wanted
            fills.append((start, "BUY" if wanted > 0 else "SELL", abs(wanted), price))
            wanted = None
        quick = closed if quick is None else quick + 2 / (fast + 1) * (closed - quick)
        sluggish = closed if sluggish is None else sluggish + 2 / (slow + 1) * (closed - sluggish)
        mark = Decimal(repr(closed))
        if number < slow:
            continue
        strength = Decimal("0.5") if quick > sluggish else Decimal(0)
        if strength != target:
            target = strength
            wanted = int((cash + held * mark) * strength / mark) - held
    return fills, cash + held * mark
