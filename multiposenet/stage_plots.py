"""Pictures of the benchmark: Figure 8 (time against people) and Figure 7 (cost by block)."""

from pathlib import Path

import numpy as np

from multiposenet.block_costs import BlockCost
from multiposenet.pose_stages import NETWORK
from multiposenet.stage_timing import STAGES, SUMS, WHOLE, Timings, least_squares

MANY = 20
"""People of the second bar of the PRN."""


def plot_stages(path: Path, timings: Timings, title: str) -> None:
    """Writes a PNG: sums against people on the left, all stages but the network on the right.

    Args:
        path: of the picture; its folder is made where it is missing.
        timings: of one model.
        title: above the panels.
    """
    figure = _figure((12, 4.5), title)
    left, right = figure.subplots(1, 2)
    people = timings.people
    line = least_squares(people, timings.median(WHOLE))
    label = f"{WHOLE}, one call: +{line.percent:.2f} % a person"
    left.plot(people, 1e3 * timings.median(WHOLE), "ko", label=label)
    fit = line.one_person + line.per_person * (people - 1)
    left.plot(people, 1e3 * fit, "k-", linewidth=0.8)
    for name in SUMS:
        left.plot(people, 1e3 * timings.median(name), marker=".", label=name)
    for name in STAGES:
        if name != NETWORK:
            right.plot(people, 1e3 * timings.median(name), marker=".", label=name)
    left.set_title("sums")
    right.set_title("stages around and behind the network")
    for axes in (left, right):
        axes.set(xlabel="people", ylabel="ms", ylim=(0, 1.35 * axes.dataLim.y1))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", loc="upper left", ncols=2)
    _save(figure, path)


def plot_blocks(path: Path, costs: dict[str, BlockCost], title: str) -> None:
    """Writes a PNG: a bar of parameters and one of multiply-accumulates for each block.

    Args:
        path: of the picture; its folder is made where it is missing.
        costs: see `block_costs.block_costs`.
        title: above the panels.
    """
    figure = _figure((11, 3.5), title)
    left, right = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(costs))
    parameters = [cost.parameters / 1e6 for cost in costs.values()]
    macs = np.array([cost.macs / 1e9 for cost in costs.values()])
    many = np.where([name == "PRN" for name in costs], MANY * macs, 0)
    left.bar_label(left.barh(places, parameters), fmt="%.3g", padding=2)
    right.barh(places, many, color="lightgrey", label=f"PRN, {MANY} people")
    right.bar_label(right.barh(places, macs), fmt="%.3g", padding=2)
    right.legend(fontsize="small")
    left.set_yticks(places, list(costs))
    left.invert_yaxis()
    left.set(title="parameters, M", xlim=(0, 1.15 * max(parameters)))
    right.set(title="GMAC (PRN: one person)", xlim=(0, 1.15 * macs.max()))
    _save(figure, path)


def _figure(size: tuple[float, float], title: str):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    return figure


def _save(figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=100)
