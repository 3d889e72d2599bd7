"""One object for all workers of this machine: its arrays are in a file that each worker maps, so they exist once.

Arrays of the loaded object are read-only: no worker can change what another one sees.
"""

import mmap
import pickle
from pathlib import Path
from typing import Any

import msgspec

ALIGNMENT = 64


class _Layout(msgspec.Struct, frozen=True):
    """The pickled object without its buffers, and where in the file these are."""

    skeleton: bytes
    spans: tuple[tuple[int, int], ...]


def save(value: object, path: Path) -> None:
    """Write `value` so that `load` can map it; buffers (PEP 574) are written separately."""
    buffers: list[pickle.PickleBuffer] = []
    skeleton = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    raw = [buffer.raw() for buffer in buffers]
    spans, at = [], 0
    for view in raw:
        spans.append((at, view.nbytes))
        at += -(-max(view.nbytes, 1) // ALIGNMENT) * ALIGNMENT
    with path.open("wb") as file:
        for (start, _), view in zip(spans, raw, strict=True):
            file.seek(start)
            file.write(view)
        file.truncate(max(at, ALIGNMENT))
    _layout(path).write_bytes(msgspec.msgpack.encode(_Layout(skeleton, tuple(spans))))


def load(path: Path) -> Any:
    """The object that was saved; its arrays are views of the file, which may be deleted meanwhile."""
    layout = msgspec.msgpack.decode(_layout(path).read_bytes(), type=_Layout)
    with path.open("rb") as file:
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return pickle.loads(layout.skeleton, buffers=[view[start : start + size] for start, size in layout.spans])


def _layout(path: Path) -> Path:
    return path.with_suffix(".layout")
