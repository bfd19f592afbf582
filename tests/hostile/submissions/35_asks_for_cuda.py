"""Row 35: asks for CUDA."""


# %% norm
def norm(x):
    return (x.to("cuda") ** 2).sum().sqrt()
