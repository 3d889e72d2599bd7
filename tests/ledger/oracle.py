"""The accounting rules once more, as plainly as they can be said: lists and fractions, everything from the beginning.

It knows nothing of how `mats.ledger` works and imports nothing of it. A history is a list of rows (dicts) in the order
of the log; what comes out is compared with the ledger's books for equality.
"""

from fractions import Fraction

PARTS = 10**12
"""What must be rounded is rounded to this part of a unit of currency; `round` of a fraction takes halves to even."""


def rounded(amount):
    return Fraction(round(amount * PARTS), PARTS)


def facts(rows):
    """What happened to one book, in the order of execution: each execution once, as it was last reported.

    `rows` are of one book. A fact is a dict: id, time, quantity (signed), price, multiplier, rate, cost, intent.
    """
    found, newest = [], 0
    for seq, row in rows:
        if row["kind"] == "adjust":
            found.append({**row, "id": f"adjustment-{seq}", "place": newest, "cost": None})
        elif row["kind"] == "fill":
            newest = max(newest, row["time"])
            found.append({**row, "id": row["family"], "place": row["time"], "cost": None, "cost_revision": -1})
        else:
            fact = next(fact for fact in found if fact["id"] == row["family"])
            if row["kind"] == "correct":
                fact.update({name: row[name] for name in ("quantity", "price", "time", "rate", "intent")})
            elif row["revision"] >= fact["cost_revision"]:
                fact.update(cost_revision=row["revision"], cost=(row["amount"], row["currency"], row["rate"]))
    return sorted(found, key=lambda fact: fact["place"])  # stable: ties stay in the order of the log


def book(rows, currency):
    """Quantity, cost, realized result, commissions, and what of them has a rate, by average cost."""
    quantity = cost = realized = realized_base = commissions_base = Fraction(0)
    commissions, unrated = {}, {}
    for fact in facts(rows):
        value = fact["price"] * fact["multiplier"]
        traded, result = fact["quantity"], Fraction(0)
        if fact.get("stated"):
            cost, gained = cost + fact["stated"][0], fact["stated"][1]
            quantity, traded, result = quantity + traded, Fraction(0), gained
            if quantity == 0:
                cost, result = Fraction(0), gained - cost
        elif quantity * traded < 0:
            closed = min(abs(traded), abs(quantity)) * (1 if traded > 0 else -1)
            released = cost if closed == -quantity else rounded(cost * -closed / quantity)
            quantity, cost, traded = quantity + closed, cost - released, traded - closed
            if fact["kind"] == "fill":
                result = -closed * value - released
        quantity, cost = quantity + traded, cost + traded * value
        realized += result
        if result and fact["rate"] is None:
            unrated[currency] = unrated.get(currency, 0) + result
        elif result:
            realized_base += rounded(result * fact["rate"])
        if fact["cost"]:
            amount, unit, rate = fact["cost"]
            commissions[unit] = commissions.get(unit, 0) + amount
            if rate is None:
                unrated[unit] = unrated.get(unit, 0) - amount
            else:
                commissions_base += rounded(amount * rate)
    return {
        "quantity": quantity,
        "cost": cost,
        "realized": realized,
        "realized_base": realized_base,
        "commissions": commissions,
        "commissions_base": commissions_base,
        "unrated": unrated,
    }


def trades(rows, newest_first=False):
    """The completed round trips of one book by id, as dicts; what closes takes the oldest lots first, or the newest."""
    lots, done = [], {}
    for fact in facts(rows):
        size = abs(fact["quantity"])
        held = sum(lot["quantity"] for lot in lots)
        stated = fact.get("stated")
        if stated and stated == (0, 0) and held * (held + fact["quantity"]) > 0:
            split(lots, held, held + fact["quantity"])
            continue
        makes_trades = fact["kind"] == "fill" or (stated and stated[1])
        value = abs(stated[0]) if stated and not makes_trades else None
        if value is not None and stated[0] * fact["quantity"] < 0:
            value = -value
        new = {**fact, "size": size, "used": 0, "value": value}
        left = new["quantity"]
        while left and lots and lots[-1 if newest_first else 0]["quantity"] * left < 0:
            lot = lots[-1 if newest_first else 0]
            units = min(abs(lot["quantity"]), abs(left))
            left -= units if left > 0 else -units
            if makes_trades:
                trade = round_trip(lot, new, units)
                done[trade["id"]] = trade
                take(new, units)
            take(lot, units)
            if not lot["quantity"]:
                lots.remove(lot)
        take(new, abs(new["quantity"]) - abs(left))
        if new["quantity"]:
            lots.append(new)
    return done


def take(lot, units):
    """`units` of a lot are used; where a split gave it a value of its own, its share leaves with them."""
    if lot["value"] is not None:
        lot["value"] -= value_of(lot, units)
    lot["quantity"] -= units if lot["quantity"] > 0 else -units
    lot["used"] += units


def value_of(lot, units):
    """What `units` of it cost: of the whole lot the whole value, else its share, rounded once."""
    whole = abs(lot["quantity"])
    return lot["value"] if units == whole else rounded(lot["value"] * units / whole)


def split(lots, held, after):
    """All lots together become `after` units and cost what they cost; open units keep their part of a commission."""
    left = after
    for lot in lots:
        units = left if lot is lots[-1] else rounded(after * lot["quantity"] / held)
        left -= units
        if lot["value"] is None:
            lot["value"] = lot["price"] * lot["multiplier"] * abs(lot["quantity"])
        if lot["cost"]:
            amount, currency, rate = lot["cost"]
            lot["cost"] = (piece(amount, lot, lot["size"] - lot["used"]), currency, rate)
        lot.update(quantity=units, size=abs(units), used=0)


def piece(amount, lot, units):
    """What the next `units` of a lot bear of an amount: the rounded running total behind them less that before them."""
    return rounded(amount * (lot["used"] + units) / lot["size"]) - rounded(amount * lot["used"] / lot["size"])


def round_trip(lot, new, units):
    side = 1 if lot["quantity"] > 0 else -1
    proceeds = new["price"] * new["multiplier"] * units
    paid = lot["price"] * lot["multiplier"] * units if lot["value"] is None else value_of(lot, units)
    commissions, base, uncharged = {}, Fraction(0), []
    for end in (lot, new):
        if end["kind"] != "fill":
            continue
        if end["cost"] is None:
            uncharged.append(end["id"])
            continue
        amount, currency, rate = end["cost"]
        commissions[currency] = commissions.get(currency, 0) + piece(amount, end, units)
        if rate is None:
            base = None
        elif base is not None:
            base += piece(rounded(amount * rate), end, units)
    return {
        "id": f"{lot['id']}/{new['id']}",
        "side": side,
        "quantity": units,
        "gross": side * (proceeds - paid),
        "entry": (lot["id"], lot["time"], lot["price"] if lot["value"] is None else None, lot["intent"]),
        "exit": (new["id"], new["time"], new["price"], new["intent"]),
        "commissions": commissions,
        "commissions_base": base,
        "uncharged": uncharged,
        "rate": new["rate"],
    }
