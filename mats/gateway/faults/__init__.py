"""Fault injection: failures of real gateways on demand, and replay of recorded sessions."""

from mats.gateway.faults.fault_injector import FaultInjector
from mats.gateway.faults.fault_types import AnyFault, PlanError
from mats.gateway.faults.plan import FaultPlan, load_plan, parse_plan
from mats.gateway.faults.scripted_gateway import ScriptedGateway
from mats.gateway.faults.target import FaultTarget
from mats.gateway.faults.traffic import Traffic

__all__ = [
    "AnyFault",
    "FaultInjector",
    "FaultPlan",
    "FaultTarget",
    "PlanError",
    "ScriptedGateway",
    "Traffic",
    "load_plan",
    "parse_plan",
]
