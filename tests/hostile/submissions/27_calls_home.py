"""Row 27: connects to a server of this machine, by every road, and asks for a name."""

# %% norm
import socket


def knock(kind, family, address):
    with socket.socket(family, kind) as door:
        door.settimeout(1)
        door.connect(address)
        door.send(b"hello")


doors = [
    (socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.1", 4444)),
    (socket.SOCK_DGRAM, socket.AF_INET, ("127.0.0.1", 4444)),
    (socket.SOCK_STREAM, socket.AF_UNIX, "\0teacher"),
    (socket.SOCK_STREAM, socket.AF_INET, ("192.0.2.1", 80)),
]
for kind, family, address in doors:
    try:
        knock(kind, family, address)
        if kind == socket.SOCK_STREAM:
            print("LOOT", address)
    except OSError as error:
        print("TRIED", address, error)
try:
    print("LOOT", socket.getaddrinfo("example.org", 80))
except OSError as error:
    print("TRIED", error)


def norm(x):
    return (x * x).sum() ** 0.5
