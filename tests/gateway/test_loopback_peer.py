"""Whose process is at the other end of a connection within the machine."""

import asyncio
import os
import socket
import subprocess
from contextlib import closing

import pytest

from mats.gateway import PaperGateway
from mats.gateway.control_port import ControlPort
from mats.gateway.loopback_peer import peer_uid
from tests.patience import PATIENCE

NOBODY = 65534
ASK = """exec 3<>/dev/tcp/127.0.0.1/{port}; echo '{{"show": "clock"}}' >&3; head -n 1 <&3"""


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_other_end_belongs_to_whoever_made_it(family):
    with socket.create_server(("127.0.0.1", 0)) as server, closing(socket.socket(family)) as client:
        host = "127.0.0.1" if family == socket.AF_INET else "::ffff:127.0.0.1"
        client.connect((host, server.getsockname()[1]))
        accepted, peer = server.accept()
        with accepted:
            assert peer_uid(peer, accepted.getsockname()) == os.getuid()


def test_an_end_that_was_closed_belongs_to_nobody():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
        accepted, peer = server.accept()
        with accepted:
            assert peer_uid(peer, accepted.getsockname()) is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_the_control_port_answers_no_other_user():
    async def run() -> list[str]:
        async with PaperGateway() as gateway, ControlPort(gateway) as control:
            command = ["bash", "-c", ASK.format(port=control.port)]
            return [
                (await asyncio.to_thread(subprocess.check_output, command, user=user, text=True, timeout=PATIENCE))
                for user in (os.getuid(), NOBODY)
            ]

    owner, stranger = asyncio.run(run())
    assert '"ok":true' in owner
    assert "belongs to another user" in stranger and "result" not in stranger
