"""Texts of others are cut where they are longer than anybody reads: an error's text can have any length."""

from structlog.typing import EventDict, WrappedLogger

CHARACTERS = 2_000
"""So long may a text be. What is cut is its middle: a traceback says the most at its beginning and at its end."""

PLAIN = (int, float, bool, type(None))
NESTED = (list, tuple, dict)


def cut(text: str, characters: int = CHARACTERS) -> str:
    """The text, without its middle where it is longer; it says how much is missing."""
    if len(text) <= characters:
        return text
    head, tail = text[: characters // 2], text[-(characters // 2) :]
    return f"{head} … {len(text) - len(head) - len(tail):,} characters cut … {tail}"


def cut_fields(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Every field within its bound. What JSON has no word for, and a list that is too long, becomes its `repr`."""
    for name, value in line.items():
        if isinstance(value, str):
            line[name] = cut(value)
        elif not isinstance(value, PLAIN):
            text = _repr(value)
            if len(text) > CHARACTERS or not isinstance(value, NESTED):
                line[name] = cut(text)
    return line


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as failure:
        return f"<repr of {type(value).__name__} raised {type(failure).__name__}>"
