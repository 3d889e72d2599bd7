"""Requests outside trading: news, scanners, fundamentals, calendars, display groups.

A paper gateway has no such data. It answers with an empty list where that is valid, else with the error of a gateway
whose account has no permission; a client can continue either way.
"""

from collections.abc import Callable

from mats.gateway.accounts import RequestHandler
from mats.gateway.protocol import ClientSession, Fields, Message, responses

NO_NEWS = (10276, "News feed is not allowed.")
NO_FUNDAMENTALS = (10358, "Fundamentals data is not allowed.")
NO_SCAN = (162, "Historical Market Data Service error message:Scanner filter is not offered")
NO_EXERCISE = (322, "Error processing request.-'bY' : cause - Options of the paper gateway cannot be exercised")
NO_CALCULATION = (321, "Error validating request.-'cg' : cause - The paper gateway shows its model with market data")
NO_VERIFICATION = (531, "Request Verify is not supported: intent to authenticate needs to be expressed at the start")


def requests() -> dict[int, RequestHandler]:
    """The handlers by request number; the second number of some is a version."""
    ignored = (12, 13, 14, 23, 53, 56, 57, 69, 70, 101, 103)
    return {
        **dict.fromkeys(ignored, _ignore),
        21: _rejecting(NO_EXERCISE, versioned=True),
        22: _rejecting(NO_SCAN, versioned=False),
        24: lambda session, fields: session.send((19, 1, "<ScanParameterResponse></ScanParameterResponse>")),
        52: _rejecting(NO_FUNDAMENTALS, versioned=True),
        54: _rejecting(NO_CALCULATION, versioned=True),
        55: _rejecting(NO_CALCULATION, versioned=True),
        **{number: _rejecting_all(NO_VERIFICATION) for number in (65, 66, 72, 73)},
        67: _answering(lambda request_id: (67, 1, request_id, "1|2|3|4|5|6|7"), versioned=True),
        68: _answering(lambda request_id: (68, 1, request_id, "none"), versioned=True),
        79: _answering(lambda request_id: (77, request_id, 0), versioned=False),
        84: _rejecting(NO_NEWS, versioned=False),
        85: lambda session, fields: session.send((85, 0)),
        86: _answering(lambda request_id: (87, request_id, 0), versioned=False),
        100: _rejecting(NO_NEWS, versioned=False),
        102: _rejecting(NO_NEWS, versioned=False),
        104: _answering(lambda request_id: (107, request_id, ""), versioned=False),
    }


def _ignore(session: ClientSession, fields: Fields) -> None:
    """A request, or the cancel of one, that has no effect here."""


def _answering(answer: Callable[[int], Message], *, versioned: bool) -> RequestHandler:
    def handle(session: ClientSession, fields: Fields) -> None:
        fields.skip(versioned)
        session.send(answer(fields.integer()))

    return handle


def _rejecting(error: tuple[int, str], *, versioned: bool) -> RequestHandler:
    return _answering(lambda request_id: responses.error(request_id, *error), versioned=versioned)


def _rejecting_all(error: tuple[int, str]) -> RequestHandler:
    return lambda session, fields: session.send(responses.error(-1, *error))
