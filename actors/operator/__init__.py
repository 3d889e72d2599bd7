"""Queries and commands of operators, and the control socket in front of them."""

from actors.operator.commands import Commands
from actors.operator.control_socket import ControlSocket
from actors.operator.operator import Operator
from actors.operator.queries import answered

__all__ = [
    "Commands",
    "ControlSocket",
    "Operator",
    "answered",
]
