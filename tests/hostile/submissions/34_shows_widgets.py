"""Row 34: displays widgets, and opens and floods channels of its own."""

# %% double
import ipywidgets
from IPython.display import clear_output

slider = ipywidgets.IntSlider(description="x")
display(slider, ipywidgets.HBox([ipywidgets.Output(), ipywidgets.Play()]))
for value in range(300):
    slider.value = value
with ipywidgets.Output():
    print("inside")
clear_output(wait=True)


def double(x):
    display(ipywidgets.Button(description="more"))
    return 2 * x


# %% norm
from comm import create_comm

for number in range(200):
    create_comm(target_name="coursekit", data={"number": number, "padding": "1" * 10_000})


def norm(x):
    return (x * x).sum() ** 0.5
