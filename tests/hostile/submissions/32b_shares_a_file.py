"""Row 32: leaves a file in /tmp and a server at a port, and looks whether another student was there."""

# %% double
import errno
import os
import socket
import time

if os.path.exists("/tmp/result.txt") or os.path.exists("/dev/shm/result.txt"):
    print("LOOT: another student's file")
for folder in ("/tmp", "/dev/shm"):
    try:
        open(f"{folder}/result.txt", "w").write("mine")
    except OSError as error:
        print("TRIED", folder, error)
try:
    server = socket.create_server(("127.0.0.1", 5555))
except OSError as error:
    print("LOOT: the port is taken" if error.errno == errno.EADDRINUSE else "TRIED", error)
time.sleep(1)
print("TRIED")


def double(x):
    return 2 * x
