"""Makes torch-2.13.0-views.pt and torch-2.13.0-views-stream.pt, read by test_torch_files.py.

python tests/reference/make_torch_files.py    (needs torch==2.13.0, nothing else)
"""

from pathlib import Path

import torch

FOLDER = Path(__file__).parent


def main() -> None:
    """Writes one state dict in both formats of torch.save."""
    numbers = torch.arange(24.0)
    state = {
        "turned": numbers.reshape(4, 6).t(),
        "part": numbers[5:9],
        "spread": torch.tensor([[1.0], [2.0]]).expand(2, 3),
        "bfloat16": torch.tensor([1.5, -(2.0**100), float("inf")], dtype=torch.bfloat16),
        "half": torch.tensor([0.25], dtype=torch.float16),
        "double": torch.tensor([0.1], dtype=torch.float64),
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "bool": torch.tensor([True, False]),
        "byte": torch.tensor([200, 3], dtype=torch.uint8),
        "parameter": torch.nn.Parameter(numbers[:2]),
    }
    content = {"state_dict": state, "epoch": 3, "optimizer": {"state": {0: {"m": numbers * 2}}}}
    for name, is_zip in (("views", True), ("views-stream", False)):
        path = FOLDER / f"torch-{torch.__version__.partition('+')[0]}-{name}.pt"
        torch.save(content, path, _use_new_zipfile_serialization=is_zip)


if __name__ == "__main__":
    main()
