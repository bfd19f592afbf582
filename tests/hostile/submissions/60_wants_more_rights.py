"""Not in the list: becomes somebody else, mounts, makes devices, traces, changes the kernel's settings and its own limits."""

# %% double
import ctypes
import os
import resource

libc = ctypes.CDLL(None, use_errno=True)
AT_ONCE = 0x20000 | 0x20000000
TRIES = {
    "setuid": lambda: os.setuid(0),
    "setgid": lambda: os.setgid(0),
    "setgroups": lambda: os.setgroups([0]),
    "chroot": lambda: os.chroot("/"),
    "mknod": lambda: os.mknod("disk", 0o60600, os.makedev(254, 0)),
    "nice": lambda: os.nice(-5),
    "scheduler": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "more processes": lambda: resource.setrlimit(resource.RLIMIT_NPROC, (100_000, 100_000)),
    "more memory": lambda: resource.setrlimit(resource.RLIMIT_DATA, (-1, -1)),
    "core_pattern": lambda: open("/proc/sys/kernel/core_pattern", "w"),
    "sysrq": lambda: open("/proc/sysrq-trigger", "w"),
    "hostname": lambda: open("/proc/sys/kernel/hostname", "w").write("mine"),
    "disk": lambda: open("/dev/vda", "rb"),
    "kernel memory": lambda: open("/proc/kcore", "rb").read(1),
    "reboot": lambda: check(libc.reboot(0)),
    "mount": lambda: check(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
    "remount": lambda: check(libc.mount(None, b"/usr", None, 32 | 4096, None)),
    "unmount": lambda: check(libc.umount2(b"/proc", 2)),
    "pivot": lambda: check(libc.pivot_root(b"/", b"/")),
    "other namespaces": lambda: [
        check(libc.setns(os.open(f"/proc/1/ns/{kind}", os.O_RDONLY), 0)) for kind in ("mnt", "net")
    ],
    "new namespace without a user": lambda: check(libc.unshare(AT_ONCE)),
    "keys": lambda: check(libc.syscall(250, 0, 0, 0)),
}


def check(status):
    if status < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


for name, attempt in TRIES.items():
    try:
        attempt()
    except (OSError, ValueError) as error:
        print("TRIED", name, error)
    else:
        if name != "keys":
            print("LOOT", name)
status = open("/proc/self/status").read()
print("TRIED", [line for line in status.split("\n") if line.startswith(("Cap", "NoNew", "Seccomp"))])
if "CapEff:\t0000000000000000" not in status or "NoNewPrivs:\t1" not in status:
    print("LOOT capabilities")


def double(x):
    return 2 * x
