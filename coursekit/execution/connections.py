"""Connections to a kernel that queue little, take no message beyond a size, and notice when they are broken."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import zmq
import zmq.asyncio

QUEUED_MESSAGES = 32
RECONNECT_MILLISECONDS = 10
TURN_SECONDS = 0.01


def bounded_context(message_bytes: int) -> zmq.asyncio.Context:
    """A context whose sockets break the connection at a frame of more than `message_bytes`."""
    context = zmq.asyncio.Context()
    for option, value in (
        (zmq.MAXMSGSIZE, message_bytes),
        (zmq.RCVHWM, QUEUED_MESSAGES),
        (zmq.RECONNECT_IVL, RECONNECT_MILLISECONDS),
        (zmq.LINGER, 0),
    ):
        context.setsockopt(option, value)
    return context


async def _hear_all(socket: Any, handle: Callable[[list[bytes]], None]) -> None:
    """Hand on messages for ever; one that waits already is given at once, so the loop gets its turn by the clock."""
    turn = time.monotonic()
    while True:
        handle(await socket.recv_multipart())
        if time.monotonic() - turn > TURN_SECONDS:
            await asyncio.sleep(0)
            turn = time.monotonic()


async def listen(socket: Any, handle: Callable[[list[bytes]], None]) -> None:
    """Hand on the frames of every message, until the connection breaks."""
    broken = asyncio.ensure_future(socket.get_monitor_socket(zmq.EVENT_DISCONNECTED).recv_multipart())
    hearing = asyncio.create_task(_hear_all(socket, handle))
    try:
        await asyncio.wait({hearing, broken}, return_when=asyncio.FIRST_COMPLETED)
        if hearing.done():
            hearing.result()
        hearing.cancel()
        await asyncio.wait({hearing})
        # what had arrived before the connection broke
        plain: zmq.Socket[bytes] = zmq.Socket.shadow(socket)
        with contextlib.suppress(zmq.Again):
            for _ in range(QUEUED_MESSAGES):
                handle(plain.recv_multipart(zmq.NOBLOCK))
    finally:
        hearing.cancel()
        broken.cancel()
        socket.disable_monitor()


async def within(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set, now or within so many seconds."""
    if not event.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()
