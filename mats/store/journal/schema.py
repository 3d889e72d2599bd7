"""The journal's tables, and their versions: an older journal is upgraded when it is opened."""

import sqlite3

SCHEMA_VERSION = 6

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- The fill log. `executions` and `commissions` hold the keys that make every fact of the broker unique.
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, recorded INTEGER NOT NULL,
    account TEXT NOT NULL, strategy TEXT NOT NULL, instrument TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX entries_by_book ON entries (account, strategy, instrument, seq);
CREATE TABLE executions (
    account TEXT NOT NULL, family TEXT NOT NULL, revision INTEGER NOT NULL, exec_id TEXT NOT NULL,
    seq INTEGER NOT NULL, PRIMARY KEY (account, family, revision)) WITHOUT ROWID;
CREATE INDEX executions_by_id ON executions (exec_id);
CREATE INDEX executions_by_seq ON executions (seq);
CREATE TABLE commissions (exec_id TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE early_commissions (exec_id TEXT PRIMARY KEY, payload BLOB NOT NULL) WITHOUT ROWID;

-- Orders: the intent as it was approved, the order as it was last seen, and every name a broker gave it.
CREATE TABLE orders (
    intent_id TEXT PRIMARY KEY, strategy TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    final INTEGER NOT NULL, intent BLOB NOT NULL, view BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX orders_open ON orders (created) WHERE final = 0;
CREATE INDEX orders_by_update ON orders (updated);
CREATE TABLE aliases (
    intent_id TEXT NOT NULL, session TEXT NOT NULL, client_id INTEGER NOT NULL, order_id INTEGER NOT NULL,
    perm_id INTEGER NOT NULL, UNIQUE (intent_id, session, client_id, order_id, perm_id));
CREATE INDEX aliases_by_perm_id ON aliases (perm_id) WHERE perm_id != 0;

-- High-water marks, assignments, cursors, halts.
CREATE TABLE order_id_marks (client_id INTEGER PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE epochs (connection TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE clients (strategy TEXT PRIMARY KEY, client_id INTEGER NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE snapshots (stage TEXT PRIMARY KEY, seq INTEGER NOT NULL, payload BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE halts (scope TEXT PRIMARY KEY, reason TEXT NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;
"""

ADDED = {
    2: """
-- What operators did. `outcome` is empty while a command is under way, and for ever where it was cut short.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY, time INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL,
    outcome TEXT NOT NULL);
-- Quantity moved between two books: the seq of its first leg, and the assignment that it takes back, once each.
CREATE TABLE assignments (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, reverses TEXT UNIQUE) WITHOUT ROWID;
""",
    3: """
-- Where books and broker differed: open ones have resolved = 0.
CREATE TABLE breaks (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, instrument TEXT NOT NULL, first_seen INTEGER NOT NULL,
    resolved INTEGER NOT NULL, payload BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX breaks_by_end ON breaks (resolved);
""",
    4: """
-- The branches of this journal, a new one at each start, and the entry after which each of them began.
CREATE TABLE branches (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, began INTEGER NOT NULL);
-- How far the tables were known to be, at least.
CREATE TABLE stored (
    library TEXT NOT NULL, account TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (library, account)) WITHOUT ROWID;
ALTER TABLE snapshots ADD COLUMN branch TEXT NOT NULL DEFAULT '';
ALTER TABLE snapshots ADD COLUMN format INTEGER NOT NULL DEFAULT 1;
ALTER TABLE snapshots ADD COLUMN checksum INTEGER;
INSERT INTO branches SELECT 0, '', 0 WHERE (SELECT value FROM meta WHERE key = 'boots') > 0;
INSERT INTO meta VALUES ('epoch_base', 0);
DELETE FROM meta WHERE key = 'tag';
""",
    5: """
-- What the broker reported and the books cannot take, as it was received: open items have resolved = 0.
CREATE TABLE quarantine (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, resolved INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE INDEX quarantine_by_end ON quarantine (resolved);
-- Entries that a stage leaves out, and the entry up to which it tries each one before it applies it.
CREATE TABLE set_aside (
    stage TEXT NOT NULL, seq INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (stage, seq)) WITHOUT ROWID;
CREATE TABLE suspects (stage TEXT PRIMARY KEY, through INTEGER NOT NULL) WITHOUT ROWID;
""",
    6: """
-- The one name of each contract. `change` rises with every change of the table.
CREATE TABLE instruments (
    con_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, change INTEGER NOT NULL UNIQUE, payload BLOB NOT NULL);
-- Names of books that are older than that table, until their contract is known (con_id -1: there were several).
CREATE TABLE earlier_names (
    name TEXT PRIMARY KEY, con_id INTEGER NOT NULL, multiplier TEXT NOT NULL, currency TEXT NOT NULL) WITHOUT ROWID;
""",
}
"""What each later schema version added."""


def prepare(db: sqlite3.Connection) -> int:
    """Create the tables of a new journal, or add to an older one what it lacks.

    Returns the version that it was found with; one that is newer than `SCHEMA_VERSION` is left as it is.
    """
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        _create(db)
    (found,) = db.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    version = int(found)
    for newer in range(version + 1, SCHEMA_VERSION + 1):
        _execute(db, ADDED[newer])
        db.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (newer,))
    return version


def _create(db: sqlite3.Connection) -> None:
    _execute(db, TABLES)
    values = [("schema_version", 1), ("boots", 0), ("pruned_to", 0)]
    db.executemany("INSERT INTO meta VALUES (?, ?)", values)


def _execute(db: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):
        db.execute(statement)
