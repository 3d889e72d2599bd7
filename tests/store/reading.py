"""Reads the fills of DU1 until its input closes; prints how often, or fails at the first thing that is wrong."""

import sys
import threading

from mats.store.tables.reader import Reader


def main(uri: str) -> None:
    closed, reader, reads, rows = threading.Event(), Reader(uri), 0, 0
    threading.Thread(target=lambda: (sys.stdin.read(), closed.set()), daemon=True).start()
    while not closed.is_set():
        frame = reader.fills("DU1")
        assert len(frame) >= rows, f"{rows} rows became {len(frame)}"
        assert frame.index.is_unique
        reads, rows = reads + 1, len(frame)
        if reads == 1:
            print("reading", flush=True)
    print(reads, rows, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
