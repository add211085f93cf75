"""Prints the results of the spiking networks as tables, from their logs.

python results.py                           figs/k0, k1 and k2
python results.py --logs k0 k2              these folders
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from figs import plotting
from LeNet import command_line
from LeNet.network import LENET

SHOWN_STEPS = (1, 2, 3, 4, 6, 8, 10, 13, 18, 20)


def main():
    args = plotting.parse_arguments(__doc__, draws=False)

    print("| network | SNN accuracy | time steps | + spikes | - spikes | SOPs/image | of the ANN's operations |")
    print("|---|---|---|---|---|---|---|")
    for log in args.logs:
        sops = log.sops[-1]
        print(
            f"| {log.name} | {log.accuracy[-1]:.2f} % | {log.time_steps_needed} | {log.positive_spikes[-1]:,.0f} "
            f"| {log.negative_spikes[-1]:,.0f} | {sops:,.0f} | {100 * sops / LENET.ann_operations:.1f} % |"
        )
    print("\naccuracy (%) after time step")
    print(f"| network | {' | '.join(map(str, SHOWN_STEPS))} |")
    print("|---" * (1 + len(SHOWN_STEPS)) + "|")
    for log in args.logs:
        steps = [step for step in SHOWN_STEPS if step <= len(log.accuracy)]
        print(f"| {log.name} | {' | '.join(f'{log.accuracy[step - 1]:.2f}' for step in steps)} |")


if __name__ == "__main__":
    command_line.run(main)
