"""Writes the page on which one draws a digit and watches the spiking networks of k=0, 1 and 2 classify it.

python live.py                                      figs/live.html
python live.py --output .                           elsewhere

The page is one file that works without server and network. This script joins its parts, which are in figs/live/, with
the integer networks (docs/hardware.md describes them) and a few test images.
"""

import base64
import json
import sys
from pathlib import Path
from string import Template

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from experiment import command_line, images, shown, weights
from experiment.disk import output_folder, replacing
from experiment.model import PUBLISHED_LEVELS, Model
from figs import plotting

PARTS = Path(__file__).parent / "live"
# joined in this order
SCRIPTS = ("simulation", "prepare", "address", "keys", "explain", "maps", "neuron", "panels", "drawing", "page")
# On test images no neuron of these networks was seen to fire more than 32, with bursts or without, on stripes 41, but
# pixels chosen to excite a neuron of k=2 can let it reach this count, which the simulation refuses.
MAX_COUNT = 63
# test images by what the network of k=0 makes of them
GALLERY = {
    "first wrong, then right": (121, 232, 242),
    "wrong to the end": (321, 445),
    "ordinary": (3, 18, 0, 11),
}


def main():
    parser = command_line.ArgumentParser(__doc__)
    plotting.add_output(parser, of="page")
    folder = parser.parse_args().output

    content = page(load_networks(), *images.load_split("test")[:2]).encode()
    with output_folder(folder) as output, replacing(output) as staging:
        (staging / "live.html").write_bytes(content)
    print(f"written    {shown(folder / 'live.html')}, {len(content):,} bytes")


def load_networks():
    """The published networks of the page as SpikingNetworks."""
    from spiking_utils import SpikingNetwork  # imports Numba, which --help does not wait for

    published = [weights.read_published(Model(k)) for k in PUBLISHED_LEVELS]
    return [SpikingNetwork(one.weights, one.network, one.model.k, MAX_COUNT) for one in published]


def page(networks, pixels, labels):
    """The HTML of the page.

    Parameters
    ----------
    networks : list of SpikingNetwork
    pixels : uint8 array (images, h, w, 1)
    labels : integer array (images,)
    """
    parts = {
        "style": (PARTS / "style.css").read_text(encoding="utf-8"),
        "script": "\n".join((PARTS / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS),
        "description": json.dumps(describe(networks, pixels, labels)),
        "networks": base64.b64encode(b"".join(map(packed, networks))).decode("ascii"),
    }
    return Template((PARTS / "page.html").read_text(encoding="utf-8")).substitute(parts)


def describe(networks, pixels, labels):
    """What the page must know beside the integers: shapes, sizes and the images of the gallery."""
    network = networks[0].network
    layers = [
        {"inputShape": edge.input_shape, "kernelSize": edge.kernel_size, "stride": edge.stride,
         "outputShape": edge.output_shape}
        for layer in (*network.blocks, network.classifier) for edge in layer.inputs
    ]  # fmt: skip
    gallery = [
        {"group": group, "number": number, "label": int(labels[number]),
         "pixels": base64.b64encode(pixels[number].tobytes()).decode("ascii")}
        for group, numbers in GALLERY.items()
        for number in numbers
    ]  # fmt: skip
    return {
        "levels": PUBLISHED_LEVELS,
        "largestCount": MAX_COUNT,
        "layers": layers,
        "classifierUnits": [2.0 ** -int(one.integer_arrays()["fc/exponent"]) for one in networks],
        "annOperations": network.ann_operations,
        "leftOut": network.blocks[0].multiply_accumulates,
        "gallery": gallery,
    }


def packed(snn):
    """The integers of a SpikingNetwork in little-endian bytes, as figs/live/simulation.js unpacks them.

    First the kernels of all layers, then of each block its thresholds for the counts 1 to MAX_COUNT: the first
    one, its difference to the second, and by how much each later difference is larger than the one before.
    """
    arrays = snn.integer_arrays()
    names = [f"conv{block.name}" for block in snn.network.blocks]
    parts = [arrays[f"{name}/kernel"].astype("<i2") for name in [*names, "fc"]]
    for name in names:
        thresholds = arrays[f"{name}/thresholds"][:, 1:].astype(np.int64)
        differences = np.diff(thresholds)
        changes = np.diff(differences)
        if np.abs(changes).max() > 1:
            raise ValueError(
                f"{name}/thresholds rise by {np.abs(changes).max()} more than before, expected at most 1"
            )
        parts += [thresholds[:, 0].astype("<i4"), differences[:, 0].astype("<i4"), changes.astype("<i1")]
    return b"".join(part.tobytes() for part in parts)


if __name__ == "__main__":
    command_line.run(main)
