"""figs/bursts.py and figs/seeds.py: tables and bars by hand from small logs."""

import re
import shutil

import pytest
from numpy.testing import assert_allclose

from experiment import published
from experiment.model import Model
from experiment.runs import Variation, default_folder
from figs import bursts, seeds
from tests.helpers import assert_refused
from tests.script_helpers import change_run, write_logs

# of two batches, one block, three time steps
STATISTICS = [[[(9, 1, 70), (4, 1, 40), (1, 2, 10)]], [[(4, 0, 30), (1, 0, 5), (1, 0, 5)]]]
RIGHT = [[1, 2, 3], [1, 1, 1]]  # of 5 images: 40 %, 60 %, 80 %
VARIATIONS = ({}, {"max_spikes": 2}, {"max_spikes": 4}, {"max_spikes": None}, {"negative_spikes": False})


@pytest.fixture
def root(empty_repository):
    return empty_repository


def write(one, right=RIGHT, statistics=STATISTICS, **variation):
    folder = default_folder(one, Variation(**variation))
    write_logs(folder, one, 5, 3, right, statistics, **variation)
    return folder


@pytest.fixture
def burst_folders(root):
    """The logs of each variant of k=0, 1 and 2; those without negative spikes have others than the rest."""
    without = [[[(5, 0, 40), (0, 0, 0), (0, 0, 0)]], [[(5, 0, 60), (0, 0, 0), (0, 0, 0)]]]
    statistics = [STATISTICS] * 4 + [without]
    return [
        write(Model(k), statistics=numbers, **variation)
        for k in (0, 1, 2)
        for variation, numbers in zip(VARIATIONS, statistics, strict=True)
    ]


def words(stdout):
    return [" ".join(line.split()) for line in stdout.splitlines()]


def test_bursts_table_has_the_numbers_of_every_variant(root, burst_folders, run_here):
    process = run_here(bursts.main, "--output", root / "figures")
    assert (process.returncode, process.stderr) == (0, "")
    table = words(process.stdout)
    for k in (0, 1, 2):
        for name in ("B = 1", "B = 2", "B = 4", "unbounded"):
            # 20 spikes of 5 images, 4 of them negative; 160 operations
            assert f"k{k} {name} 80.00 % 3 3 1 32" in table
        assert f"k{k} B = 1, none negative 80.00 % 3 2 0 20" in table
    assert {path.name for path in (root / "figures").iterdir()} == {"scnn_bursts_mnist.png", "scnn_bursts_mnist.svg"}


def test_bursts_bars_and_lines_are_the_numbers(burst_folders):
    figure = bursts.draw({Model(k): bursts.read_variants(Model(k)) for k in (0, 1)})
    for column in (0, 1):
        accuracy, spikes, sops = figure.axes[column::2]
        assert [list(line.get_ydata()) for line in accuracy.lines] == 5 * [[40, 60, 80]]
        positive, negative = spikes.patches[::2], spikes.patches[1::2]
        assert_allclose([bar.get_height() for bar in positive], [*4 * [16 / 5 / 1e3], 10 / 5 / 1e3])
        assert_allclose([bar.get_height() for bar in negative], [*4 * [4 / 5 / 1e3], 0], atol=1e-15)
        assert_allclose([bar.get_height() for bar in sops.patches], [*4 * [32 / 1e6], 20 / 1e6])


def test_bursts_of_the_levels_and_variants_that_have_logs(root, run_here):
    named = Model(1, data="fashion-mnist")
    for variation in VARIATIONS[2:4]:
        write(named, **variation)
    process = run_here(bursts.main, "--data", "fashion-mnist", "--output", root)
    table = words(process.stdout)
    assert [line.split(" 80.00 %")[0] for line in table[1:-1]] == ["k1 B = 4", "k1 unbounded"]
    _, *bars = bursts.draw({named: bursts.read_variants(named)}).axes
    assert [[tick.get_text() for tick in axes.get_xticklabels()] for axes in bars] == [["4", "∞"]] * 2


def test_bursts_are_beside_networks_that_others_trained_directly(root):
    named = Model(1, data=published.FASHION_MNIST)
    write(named)
    [accuracy, *_] = bursts.draw({named: bursts.read_variants(named)}).axes
    stars = {line.get_label(): line.get_xydata().tolist() for line in accuracy.lines if line.get_marker() == "*"}
    others = published.DIRECTLY_TRAINED[named.data]
    assert stars == {f"theirs: {other.name}": [[other.time_steps, other.accuracy]] for other in others}
    low, high = accuracy.get_ylim()
    assert low < 80 < max(other.accuracy for other in others) < high


def test_bursts_without_logs(root, run_here):
    assert_refused(run_here(bursts.main), "no logs found, expected one of figs/k0, figs/k1, figs/k2")


def test_bursts_with_logs_in_the_folder_of_another_variant(root, burst_folders, run_here):
    change_run(root / "figs/logs/k1-burst-4", max_spikes=2)
    assert_refused(
        run_here(bursts.main), "figs/logs/k1-burst-4: has logs of k=1, bursts of 2 (k1-burst-4), expected k=1, B = 4"
    )


@pytest.fixture
def seed_folders(root):
    """k=0 with seeds 0 and 12, of 80 % and 60 %, of which run.json knows the ANN's accuracy; k=1 with one seed."""
    write(Model(0))
    # 15 spikes of 5 images, none negative; 50 operations
    write(
        Model(0, seed=12),
        [[1, 1, 2], [1, 1, 1]],
        [[[(10, 0, 40)] + 2 * [(0, 0, 0)]], [[(5, 0, 10)] + 2 * [(0, 0, 0)]]],
    )
    for seed, accuracy in {0: 0.8, 12: 0.6}.items():
        change_run(default_folder(Model(0, seed=seed)), ann_accuracy=accuracy)
    write(Model(0, seed=12), noise_ratio=0.5, noise_seed=0)  # another run of a seed, which does not count
    write(Model(1, seed=2))


def test_seeds_table_has_mean_spread_and_extremes(root, seed_folders, run_here):
    process = run_here(seeds.main, "--output", root / "figures")
    assert (process.returncode, process.stderr) == (0, "")
    table = words(process.stdout)
    # a sample of two has the standard deviation |a - b| / sqrt(2)
    assert "| k=0 | ANN accuracy (%) | 2 | 70.00 | 14.14 | 60.00 | 80.00 | 99.29 | no |" in table
    assert "| k=0 | SNN accuracy (%) | 2 | 70.00 | 14.14 | 60.00 | 80.00 | 99.29 | no |" in table
    rows = {tuple(row.split(" | ")[:2]): row.split(" | ")[2:6] for row in table}
    assert rows["| k=0", "accuracy after step 1 (%)"] == ["2", "40.00", "0.00", "40.00"]
    assert rows["| k=0", "time steps"] == ["2", "3.0", "0.0", "3.0"]
    assert rows["| k=0", "+ spikes"] == ["2", "3", "0", "3"]  # 16 / 5 and 15 / 5
    assert rows["| k=0", "- spikes"] == ["2", "0", "1", "0"]  # 4 / 5 and 0
    assert rows["| k=0", "SOPs"] == ["2", "21", "16", "10"]  # 32 and 10
    assert "| k=1 | SNN accuracy (%) | 1 | 80.00 | | 80.00 | 80.00 | 99.32 | no |" in table  # one seed has no spread
    assert not any("k=2" in row for row in table)
    svg = (root / "figures/scnn_seeds_mnist.svg").read_text()
    labels = re.findall(r"<!-- (k=\d: .*?) -->", svg)
    assert labels == ["k=0: mean of 2 seeds", "k=0: published", "k=1: one seed", "k=1: published"]


def test_seeds_curve_is_the_mean_and_the_band_reaches_from_lowest_to_highest(seed_folders):
    whole, zoomed = seeds.draw({Model(0): seeds.read_seeds(Model(0))}).axes
    for axes in (whole, zoomed):
        assert_allclose(axes.lines[0].get_ydata(), [40, 50, 70])
        corners = axes.collections[0].get_paths()[0].vertices
        last = corners[corners[:, 0] == 3, 1]
        assert (last.min(), last.max()) == (60, 80)


def test_seeds_curve_of_each_level_is_beside_its_published_one(seed_folders):
    figure = seeds.draw({Model(k): seeds.read_seeds(Model(k)) for k in (0, 1)})
    for axes in figure.axes:
        for k, line in zip((0, 1), axes.lines[1::2], strict=True):
            assert dict(zip(line.get_xdata(), line.get_ydata())) == published.of(Model(k)).accuracy


@pytest.mark.parametrize(
    ("reference", "within"),
    [(99.19, "no"), (99.2, "yes"), (99.3, "yes"), (99.41, "no")],
)
def test_published_value_within_the_seeds_to_a_hundredth_of_a_point(reference, within):
    cells = seeds.row("SNN accuracy (%)", [99.204, 99.396], reference)
    assert cells == ["SNN accuracy (%)", "2", "99.30", "0.14", "99.20", "99.40", f"{reference:.2f}", within]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"epochs": 2}, "figs/logs/k0-seed12: has 2 epochs, expected 150 as in figs/k0"),
        ({"images": 9}, "figs/logs/k0-seed12: has 9 training images, expected 50,000 as in figs/k0"),
    ],
)
def test_seeds_that_were_trained_differently_are_refused(seed_folders, change, expected, run_here):
    change_run(default_folder(Model(0, seed=12)), change)
    assert_refused(run_here(seeds.main), expected)


def test_seeds_of_other_numbers_of_time_steps(seed_folders, run_here):
    write(Model(1, seed=3), [[1], [1]], [[[(10, 0, 40)]], [[(5, 0, 10)]]])
    assert_refused(run_here(seeds.main), "figs/logs/k1-seed3: has 1 time steps, expected 3 as in figs/logs/k1-seed2")


def test_logs_in_the_folder_of_a_seed_of_another_level_do_not_count(seed_folders):
    shutil.copytree(default_folder(Model(1, seed=2)), default_folder(Model(0, seed=2)))
    assert [log.model.seed for log in seeds.read_seeds(Model(0))] == [0, 12]


def test_seeds_of_another_recipe_have_no_published_figures(root, run_here):
    write(Model(0, recipe="augmented", seed=1))
    process = run_here(seeds.main, "--recipe", "augmented", "--output", root / "figures")
    assert "| k=0, augmented | SNN accuracy (%) | 1 | 80.00 | | 80.00 | 80.00 | | |" in words(process.stdout)
    svg = (root / "figures/scnn_seeds_mnist-augmented.svg").read_text()
    assert re.findall(r"<!-- (k=.*?) -->", svg) == ["k=0: one seed"]
    assert "on MNIST, augmented -->" in svg


def test_seeds_without_logs(root, run_here):
    assert_refused(run_here(seeds.main), "no logs found, expected figs/k0 etc.")
