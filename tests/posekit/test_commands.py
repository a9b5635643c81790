import errno

import pytest

from posekit.commands import UsageError, run


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("main", "code", "said"),
    [
        (lambda: None, None, ""),
        (lambda: 3, 3, ""),
        (raising(UsageError("expected this")), 2, "expected this"),
        (raising(OSError(errno.ENOSPC, "No space left on device", "a.json")), 1, "a.json"),
        (raising(KeyboardInterrupt()), 130, "interrupted"),
    ],
)
def test_a_script_ends_with_a_code_and_a_line(main, code, said, capsys):
    with pytest.raises(SystemExit) as ended:
        run(main)
    assert ended.value.code == code
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == (1 if said else 0)


def test_a_fault_of_the_program_shows_its_traceback():
    with pytest.raises(KeyError, match="fault"):
        run(raising(KeyError("fault")))
