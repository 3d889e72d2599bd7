"""The TWS protocol, server side: frames, requests, messages, versions."""

from mats.gateway.protocol import contract_messages, data_messages, historical_messages, responses
from mats.gateway.protocol.client_session import START_API, ClientSession
from mats.gateway.protocol.requests import (
    ExecutionFilter,
    PlaceOrder,
    contract_query,
    execution_filter,
    parse_time,
    place_order,
)
from mats.gateway.protocol.responses import UNSET, contract, error, format_time, number
from mats.gateway.protocol.wire import Field, Fields, Message, WireError, decode, encode, encode_text, text

__all__ = [
    "START_API",
    "UNSET",
    "ClientSession",
    "ExecutionFilter",
    "Field",
    "Fields",
    "Message",
    "PlaceOrder",
    "WireError",
    "contract",
    "contract_messages",
    "contract_query",
    "data_messages",
    "decode",
    "encode",
    "encode_text",
    "error",
    "execution_filter",
    "format_time",
    "historical_messages",
    "number",
    "parse_time",
    "place_order",
    "responses",
    "text",
]
