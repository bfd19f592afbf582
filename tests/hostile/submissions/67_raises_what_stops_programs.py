"""Not in the list: raises what is meant for whoever runs a program."""

# %% double
import asyncio


def double(x):
    raise KeyboardInterrupt


# %% norm
class Odd(BaseException):
    def __str__(self):
        raise Odd

    __repr__ = __str__


def norm(x):
    raise Odd


# %% estimate
def estimate(data):
    raise asyncio.CancelledError


# %% total
total = 45
raise GeneratorExit
