"""What an operator sees and does: one command core, and the control socket in front of it."""

from actors.operator.commands import Commands
from actors.operator.control_socket import ControlSocket
from actors.operator.core import Operator

__all__ = [
    "Commands",
    "ControlSocket",
    "Operator",
]
