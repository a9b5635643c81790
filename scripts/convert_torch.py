"""Turns a torch file of tensors into an .npz, so that loading it later needs no torch.

    python scripts/convert_torch.py mobilenet_v2.pth mobilenet_v2.npz

Reads with weights_only=True and keeps all names; `posekit.weights.torchvision.load_torchvision`
reads the result. Runs in an environment without TensorFlow and Keras:
    pip install torch==2.13.0 numpy && pip install --no-deps .
"""

import argparse
import sys
from pathlib import Path


def main() -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("torch_file", type=Path, help="state dict, plainly or under 'state_dict'")
    parser.add_argument("npz_file", type=Path, help="file to write")
    arguments = parser.parse_args()
    from posekit.weights.state_dicts import read_state, save_npz

    try:
        state = read_state(arguments.torch_file)
        save_npz(arguments.npz_file, state)
    except (ValueError, ImportError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(state)} tensors read, {arguments.npz_file} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
