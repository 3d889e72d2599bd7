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
    """Quantity, cost, realised result, commissions, and what of them has a rate, by average cost."""
    quantity = cost = realized = realized_base = commissions_base = Fraction(0)
    commissions, unrated = {}, {}
    for fact in facts(rows):
        value = fact["price"] * fact["multiplier"]
        traded, result = fact["quantity"], Fraction(0)
        if quantity * traded < 0:
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
