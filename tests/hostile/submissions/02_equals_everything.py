"""Row 2: returns an object that is equal to everything, and is a tensor that says yes to every function."""


# %% double
class Yes:
    def __eq__(self, other):
        return True

    __hash__ = None


def double(x):
    return Yes()


# %% norm
class YesTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True

    def __float__(self):
        return 0.0


def norm(x):
    return torch.zeros(()).as_subclass(YesTensor)
