"""Not in the list: stops the kernel from within, its loop, its threads and its heartbeat, in ways that look like normal."""


# %% double
def double(x):
    return 2 * x


# %% norm
kernel = get_ipython().kernel


def norm(x):
    kernel.shell_stream = None
    kernel.iopub_thread.stop()
    kernel.io_loop.add_callback(kernel.io_loop.stop)
    return (x * x).sum() ** 0.5
