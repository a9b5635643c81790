import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The same examples in each run, and however slow the machine: a run that fails says something about
# the change at hand. For other examples: pytest --hypothesis-profile=random.
FAIR = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("random", **FAIR)
settings.register_profile("same", derandomize=True, **FAIR)
settings.load_profile("same")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Keras takes the seeds of weights that a test leaves to chance from here."""
    random.seed(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; tests that want it skip where it is absent."""
    folder = Path(__file__).parents[1].parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs ../shared/data")
    return folder
