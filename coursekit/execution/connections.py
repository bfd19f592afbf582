"""Connections to a kernel that queue little, take no message beyond a size, and notice when they are broken."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import zmq
import zmq.asyncio

QUEUED_MESSAGES = 32
RECONNECT_MILLISECONDS = 10


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


async def listen(socket: Any, handle: Callable[[list[bytes]], None]) -> None:
    """Hand on the frames of every message, until the connection breaks."""
    broken = asyncio.ensure_future(socket.get_monitor_socket(zmq.EVENT_DISCONNECTED).recv_multipart())
    try:
        while True:
            frames = asyncio.ensure_future(socket.recv_multipart())
            await asyncio.wait({frames, broken}, return_when=asyncio.FIRST_COMPLETED)
            if not frames.done():
                frames.cancel()
                return
            handle(frames.result())
            await asyncio.sleep(0)  # a message that waits already is given at once, and the clock must go on
    finally:
        broken.cancel()
        socket.disable_monitor()


async def within(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set, now or within so many seconds."""
    if not event.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()
