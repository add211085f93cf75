"""--golden and --sizes, compared with a replay of the exported file and with numbers calculated by hand."""

import json
import re
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from experiment.identity import Identity
from experiment.model import Model
from experiment.trained import Trained
from LeNet import Spiking_LeNet_MNIST, hardware
from spiking.notation import parse, write
from spiking_utils import SpikingNetwork
from tests.helpers import ROOT, assert_refused, save_model
from tests.integer_replay import assert_measured, assert_replayed, bits
from tests.networks import graphs, random_weights, small_chains, with_gammas
from tests.script_helpers import write_images

PAGE = (ROOT / "docs/hardware.md").read_text()
PADDED = parse("9x8x2-6C3ps2x1m2-M2p-6C1b+I@2-7-3b")
STEPS = 8


@pytest.fixture(scope="module")
def run(run_here):
    """Runs the script, which must succeed; returns what it printed."""

    def run(*options):
        process = run_here(Spiking_LeNet_MNIST.main, *options)
        assert process.returncode == 0, process.stderr
        return process.stdout

    return run


@pytest.fixture(scope="module")
def padded(tmp_path_factory):
    """The options of a small model with every kind of layer, padding and a bound, and of its images."""
    folder = tmp_path_factory.mktemp("padded")
    save_model(folder / "k1.npz", random_weights(PADDED, seed=3), 1, PADDED, data="dots")
    return ("--weights", folder / "k1.npz", "--data", write_images(folder / "dots", (9, 8, 2), classes=3))


CASES = {
    "k0": (["--k", 0, "--limit", 1], 1),
    "bursts": (["--k", 2, "--limit", 1, "--max_spikes", 3], 1),
    "padding": ([], 10),
    "padding, bursts, no negative spikes": (["--max_spikes", 2, "--negative_spikes", False], 10),
}


@pytest.mark.parametrize("case", CASES)
def test_golden_file_is_what_the_exported_network_does_spike_for_spike(case, run, padded, tmp_path):
    options, images = CASES[case]
    if "padding" in case:
        options = [*options, *padded]
    limit = options.index("--limit") if "--limit" in options else len(options)
    run(*options, "--time_steps", STEPS, "--golden", tmp_path / "golden.npz")
    run(*options[:limit], *options[limit + 2 :], "--time_steps", STEPS, "--export", tmp_path / "integers.npz")
    golden, arrays = (dict(np.load(tmp_path / name, allow_pickle=False)) for name in ("golden.npz", "integers.npz"))
    assert golden["pixels"].dtype == np.uint8
    assert len(golden["pixels"]) == images
    *blocks, _ = assert_replayed(golden, arrays).values()
    spikes = np.concatenate([block.spikes.ravel() for block in blocks])
    assert spikes.max() == arrays["max_spikes"]  # else the case would not show what it is for
    assert (spikes.min() < 0) == bool(arrays["negative_spikes"])


@settings(max_examples=25)
@given(
    small_chains() | graphs(),
    st.integers(0, 3),
    st.integers(1, STEPS),
    st.sampled_from([1, 2, 5]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_golden_vectors_and_sizes_of_any_network_are_those_of_its_integers(network, k, steps, burst, negative, seed):
    rng, network = np.random.default_rng(seed), parse(write(network.blocks, network.classifier))
    weights = with_gammas(random_weights(network, seed), lambda shape: rng.choice([-1, 0, 1], shape))
    spiking = SpikingNetwork(weights, network, k, steps, burst, negative)
    pixels = rng.integers(0, 256, (3, *network.input_shape), np.uint8)
    trained = Trained(Identity(Model(k, network.layer_notation), network, 1, 1, 1, threads=1), weights)
    golden = hardware.golden_vectors(spiking, trained, pixels)
    recorded = assert_replayed(golden, spiking.integer_arrays())
    assert_measured(hardware.measure(spiking, pixels), recorded)


def test_golden_file_tells_the_level_and_which_weights_it_is_of(run, tmp_path):
    """Weights of full precision have no level of their own."""
    source = ROOT / "LeNet/pretrained/fp32.npz"
    run("--weights", source, "--k", 3, "--time_steps", 2, "--golden", tmp_path / "golden.npz", "--limit", 1)
    golden, stored = (np.load(path, allow_pickle=False) for path in (tmp_path / "golden.npz", source))
    assert [golden[name] for name in ("k", "pixel_levels", "max_spikes", "negative_spikes")] == [3, 256, 1, 1]
    for key in ("k", "network", "data", "recipe", "seed", "epochs", "images"):
        assert_array_equal(golden[f"weights/{key}"], stored[key])
    assert golden["weights/sha256"] == sha256(source.read_bytes()).hexdigest()


def test_max_pooling_of_ordinary_neurons_ends_in_the_same_counts():
    """Four layers of weights +1 and -1, as the page writes them, replace M2."""
    layers = re.search(r"^    (4C1x2\S*)$", PAGE, re.MULTILINE)[1]
    pooled, ordinary = (parse(f"12x14x2-4C3-{between}-6C3-3") for between in ("M2", layers))
    weights = random_weights(pooled, seed=5)
    moved = {key.replace("3/", "6/"): array for key, array in weights.items()}
    for block in ordinary.blocks[1:5]:
        kernel = np.ones(block.inputs[0].kernel_shape)
        kernel.reshape(-1, 4)[1:] = -1  # (1, -1) along the window, of each channel
        numbers = {"beta": 0, "gamma": 1, "moving_mean": 0, "moving_var": 1 - 1e-5}
        moved |= {f"bn{block.name}/{name}": np.full(4, float(value)) for name, value in numbers.items()}
        moved[f"conv{block.name}/W"] = kernel
    pixels = np.random.default_rng(5).integers(0, 256, (20, 12, 14, 2))
    runs = [SpikingNetwork(*case, 2, time_steps=80).run(pixels) for case in ((weights, pooled), (moved, ordinary))]
    assert all(run.quiescent().all() for run in runs)
    (_, pool, third), (*_, last, sixth) = ([train.counts() for train in run.trains] for run in runs)
    assert pool.max() > 4
    assert_array_equal(last, pool)
    assert_array_equal(sixth, third)
    assert_array_equal(runs[1].potentials[:, -1], runs[0].potentials[:, -1])


@pytest.mark.parametrize("burst", [1, 3])
def test_sizes_are_those_of_a_dense_run(burst, run, padded, tmp_path, monkeypatch):
    def recorded(snn, pixels):
        batches.append(len(pixels))
        return run_batch(snn, pixels)

    batches, run_batch = [], SpikingNetwork.run
    monkeypatch.setattr(hardware, "MAX_MEASURED", 7 * STEPS * PADDED.neurons)
    monkeypatch.setattr(SpikingNetwork, "run", recorded)
    options = [*padded, "--time_steps", STEPS, "--max_spikes", burst]
    run(*options, "--sizes", "--logs", tmp_path)
    assert batches == [7, 7, 6]
    run(*options, "--golden", tmp_path / "golden.npz", "--limit", 20)
    run(*options, "--export", tmp_path / "integers.npz")
    arrays = dict(np.load(tmp_path / "integers.npz", allow_pickle=False))
    recorded = assert_replayed(np.load(tmp_path / "golden.npz"), arrays)
    rows = json.loads((tmp_path / "run.json").read_text())["sizes"]
    assert [row["name"] for row in rows] == ["block 1", "block 2", "block 3", "block 4", "classifier"]
    assert_measured(rows, recorded)


def test_sizes_of_a_network_by_hand():
    """Weights 1, then 1 and -1/2, then -1, on grids of 2^-14: 16384, -8192 and -16384.

    Of the pixels 200 and 200, then 200 and 0, each of at least 128 gives a spike, in step 1. BN changes nothing.
    """
    weights = {
        "conv1/W": np.ones((1, 1, 1, 1), np.float32),
        "conv2/W": np.array([1, -0.5], np.float32).reshape(1, 2, 1, 1),
        "fc/W": -np.ones((1, 1), np.float32),
    }
    for number in (1, 2):
        parameters = {"beta": 0, "gamma": np.sqrt(1 + 1e-5), "moving_mean": 0, "moving_var": 1}
        weights |= {f"bn{number}/{key}": np.array([value], np.float32) for key, value in parameters.items()}
    network = SpikingNetwork(weights, parse("1x2x1-1C1-1-1"), k=0, time_steps=3)
    pixels = np.array([[200, 200], [200, 0]], np.uint8).reshape(2, 1, 2, 1)
    first, second, classifier = hardware.measure(network, pixels)
    both = {"lowest_potential": 0, "weight_bits": 16, "threshold_bytes": 8, "largest_count": 1, "count_bits": 1}
    assert first == both | {
        "name": "block 1",
        "highest_potential": 200 * 16384,
        "lowest_partial_sum": 0,
        "highest_partial_sum": 200 * 16384,  # from 2^21 on, below 2^22
        "accumulator_bits": 23,
        "threshold_bits": 24,  # theta_2, 1.5 * 256 * 16384 = 1.5 * 2^22
        "most_spikes_in_a_step": 2,
        "most_spikes_in_a_step_on_average": 1.5,
        "weight_bytes": 2,
        "state_bytes": 10,
    }
    assert second == both | {
        "name": "block 2",
        "highest_potential": 16384,
        "lowest_partial_sum": -8192,  # should the second spike come first
        "highest_partial_sum": 16384,  # 2^14
        "accumulator_bits": 16,
        "threshold_bits": 16,  # theta_2, 1.5 * 16384 = 1.5 * 2^14
        "most_spikes_in_a_step": 1,
        "most_spikes_in_a_step_on_average": 1.0,
        "weight_bytes": 4,
        "state_bytes": 5,
    }
    assert classifier == {
        "name": "classifier",
        "lowest_potential": -16384,
        "highest_potential": 0,
        "lowest_partial_sum": -16384,
        "highest_partial_sum": 0,
        "accumulator_bits": 15,
        "weight_bits": 15,
        "weight_bytes": 2,
        "state_bytes": 4,
    }


@pytest.mark.parametrize(
    ("lowest", "highest"), [(0, 0), (-1, 0), (0, 1), (-128, 127), (-129, 0), (0, 128), (-5, 300)]
)
def test_bits_are_the_fewest_that_hold_both(lowest, highest):
    assert hardware.signed_bits(lowest, highest) == bits(lowest, highest)


def test_sizes_are_in_run_json_only_where_asked_for(run, padded, tmp_path):
    run(*padded, "--logs", tmp_path / "plain")
    printed = run(*padded, "--logs", tmp_path / "sizes", "--sizes")
    plain, sizes = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("plain", "sizes"))
    assert sizes.pop("sizes")
    assert sizes == plain
    golden = run(*padded, "--golden", tmp_path / "golden.npz", "--limit", 1, "--sizes")
    for output in (printed, golden):
        *rows, memory = output.splitlines()[-6:]
        assert [line[:10].strip() for line in rows] == ["block 1", "block 2", "block 3", "block 4", "classifier"]
        assert memory.startswith("memory ")
    for name in ("accuracy.txt", "spike_num.txt", "spike_collect.txt", "sop_num.txt"):
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "sizes" / name).read_bytes()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--golden", "g.npz", "--noise_ratio", 0.5], "argument --noise_ratio: not allowed with --golden"),
        (["--golden", "g.npz", "--verify"], "not allowed with argument"),
        (["--export", "e.npz", "--sizes"], "argument --sizes: not allowed with --export"),
        (["--golden", ROOT / "docs"], "docs is a folder, expected the name of an npz file"),
        (["--golden", "g.npz", "--time_steps", 10_000], "argument --golden: 10 images x 10,000 time steps x 18,900"),
    ],
)
def test_what_makes_no_sense_is_refused(options, expected, run_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_refused(run_here(Spiking_LeNet_MNIST.main, "--k", 0, *options), expected)
    assert not list(tmp_path.iterdir())


def test_bursts_beyond_int8_are_refused(run_here, padded, tmp_path):
    weights, path = random_weights(PADDED, seed=3), tmp_path / "strong.npz"
    weights["bn3/gamma"] *= 50  # a bounded one would not do
    save_model(path, weights, 1, PADDED, data="dots")
    options = ("--weights", path, "--max_spikes", "unbounded", "--golden", tmp_path / "g.npz")
    process = run_here(Spiking_LeNet_MNIST.main, *padded[2:], *options)
    assert_refused(process, "argument --max_spikes: a neuron fires ", " spikes at once, expected at most 127")


def test_page_traces_a_neuron_and_makes_readmemh_files_as_it_says(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for option, name in {"--export": "k0_int.npz", "--golden": "k0_golden.npz"}.items():
        run("--k", 0, "--time_steps", STEPS, option, name)
    for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        exec(compile(code, "docs/hardware.md", "exec"), {})
    trace = re.search(r"^\| step \|.*?\n\n", PAGE, re.DOTALL | re.MULTILINE)[0]
    rows = [
        [cell.strip().replace(",", "") for cell in line.strip("|").split("|")]
        for line in trace.splitlines()[2:]
        if line
    ]
    golden, arrays = np.load("k0_golden.npz"), np.load("k0_int.npz")
    neuron = (0, slice(None), 4, 8, 7)  # of the first image: row 4, column 8, channel 7
    u, spikes = golden["block2/potential"][neuron], golden["block2/spikes"][neuron]
    n, thresholds = 0, arrays["conv2/thresholds"][7]
    for t in range(5):
        below = str(thresholds[n]) if n else "never"
        expected = [t + 1, u[t], n, thresholds[n + 1], below, f"{spikes[t]:+d}" if spikes[t] else 0, n + spikes[t]]
        assert rows[t] == [str(value) for value in expected]
        n += spikes[t]
    assert len(rows) == 5
    assert capsys.readouterr().out.split() == [*map(str, u), *map(str, spikes)]
    kernel = arrays["conv2/kernel"].ravel()
    words = [int(word, 16) for word in (tmp_path / "conv2_kernel.hex").read_text().split()]
    assert_array_equal(np.array(words, np.uint16).view(np.int16), kernel)
    words = [int(word, 16) for word in (tmp_path / "conv2_thresholds.hex").read_text().split()]
    assert_array_equal(np.array(words, np.uint32).view(np.int32), arrays["conv2/thresholds"].ravel())
