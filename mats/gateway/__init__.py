"""A paper gateway: a TCP server that speaks the TWS API protocol over the simulated exchange of `mats.venue`."""

from mats.gateway.server import GatewayError as GatewayError
from mats.gateway.server import PaperGateway as PaperGateway
