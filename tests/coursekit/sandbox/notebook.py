"""Runs one notebook's worth of code in a real kernel in the sandbox without namespaces, and prints what it says."""

import asyncio
import sys
import tempfile
from pathlib import Path

from coursekit.kernels.limits import KernelLimits
from coursekit.kernels.opening import KernelSettings, open_kernels
from coursekit.sandbox import Paths, choose

CODE = """
import os, shutil, subprocess, sys
!echo hello shell
said = !echo captured
print(said)
sys.stdout.flush()
if os.fork() == 0:
    print("from a child")
    sys.stdout.flush()
    os._exit(0)
os.wait()
import time
time.sleep(0.3)
import tiny
print("tiny", tiny.VALUE)
shutil.copy("a.txt", "b.txt")
print("copied", sorted(os.listdir()))
program = [sys.executable, "-c", "import tiny; print('from a program')"]
print(subprocess.run(program, capture_output=True, text=True).stdout.strip())
"""


async def main(course: Path) -> None:
    package = course / "tiny"
    package.mkdir()
    (package / "__init__.py").write_text("VALUE = True\n")
    sandbox = choose(Paths(course=course, packages=(package,)), trust=False, kind="landlock")
    kernels = open_kernels(KernelSettings(("json",)), sandbox)
    try:
        manager = kernels.manager({"a.txt": b"a"}, KernelLimits())
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=30)

        def show(message: dict) -> None:
            content = message["content"]
            text = content.get("text", "") or "\n".join(content.get("traceback", []))
            print(text, end="", flush=True)

        await client.execute_interactive(CODE, output_hook=show, timeout=30)
        client.execute("import os; os._exit(3)")
        while await manager.is_alive():
            await asyncio.sleep(0.05)
        print("why:", kernels.why_dead(manager))
        client.stop_channels()
    finally:
        kernels.close()


with tempfile.TemporaryDirectory() as folder:
    sys.path[:] = [path for path in sys.path if path != str(Path(__file__).parent)]
    asyncio.run(main(Path(folder)))
