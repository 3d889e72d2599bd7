"""Files of instruments for the gateway, made from a table of real futures."""

import csv
from collections import Counter
from pathlib import Path

CLASSES = {
    ("DAX", "25"): "FDAX", ("DAX", "5"): "FDXM", ("DAX", "1"): "FDXS", ("SI", "5000"): "SI", ("SI", "1000"): "SIL",
    ("EOE", "200"): "FTI", ("EOE", "20"): "MFA",
}  # fmt: skip
"""The trading classes of futures that share a symbol and an exchange."""

FIRST_CON_ID = 950_000_000

TEMPLATE = """[[instrument]]
symbol = "{symbol}"
sec_type = "FUT"
currency = "{currency}"
expiry = "20261218"
exchange = "{exchange}"
trading_class = "{trading_class}"
local_symbol = "{trading_class}Z6"
multiplier = "{multiplier}"
price_magnifier = "{price_magnifier}"
tick_size = "0.01"
con_id = {con_id}
price = 100.0
volatility = 0.2
"""


def read_futures(table: Path) -> list[dict[str, str]]:
    """The rows of the table, each with a trading class that no other future of its symbol has, and a contract id."""
    seen: Counter[str] = Counter()
    rows = []
    with table.open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            seen[row["symbol"]] += 1
            other = row["symbol"] if seen[row["symbol"]] == 1 else f"{row['symbol']}{seen[row['symbol']]}"
            trading_class = CLASSES.get((row["symbol"], row["multiplier"]), other)
            rows.append({**row, "trading_class": trading_class, "con_id": str(FIRST_CON_ID + number)})
    return rows


def write_instruments(rows: list[dict[str, str]], path: Path) -> Path:
    """The file that `--instruments` takes."""
    path.write_text("\n".join(TEMPLATE.format(**row) for row in rows))
    return path
