"""Not in the list: answers on the shell socket in the kernel's place, first with a lie and then with nonsense."""

# %% norm
kernel = get_ipython().kernel


def norm(x):
    parent = kernel.get_parent()
    stream = kernel.shell_stream if hasattr(kernel, "shell_stream") else kernel.shell_streams[0]
    identities = kernel._parent_ident["shell"]
    if hasattr(identities, "get"):  # newer kernels keep it for each task
        identities = identities.get()
    for content in (
        {},
        {"status": ["ok"]},
        {"status": "error", "ename": {}, "evalue": 7, "traceback": 1},
        {"status": "aborted"},
    ):
        kernel.session.send(
            kernel.shell_socket if hasattr(kernel, "shell_socket") else stream,
            "execute_reply",
            content,
            parent=parent,
            ident=identities,
        )
    kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=parent)
    while True:
        pass
