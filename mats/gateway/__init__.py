"""A paper gateway: a TCP server for the TWS API protocol over the simulated exchange of `mats.venue`."""

from mats.gateway.pacing import LOOSE, STRICT
from mats.gateway.process import serve, serve_script
from mats.gateway.server import GatewayError, PaperGateway

__all__ = [
    "LOOSE",
    "STRICT",
    "GatewayError",
    "PaperGateway",
    "serve",
    "serve_script",
]
