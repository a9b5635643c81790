"""The table of faults names a test for every line, and every test it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in (ROOT / "docs" / "RELIABILITY.md").read_text("utf-8").splitlines()
    if re.match(r"\| (?:[IATVS]\d+|fuzz)\b", line)
]
LENGTHS = {"I": 9, "A": 10, "T": 12, "V": 5, "S": 8}


def test_every_line_is_in_the_table():
    named = {re.match(r"[IATVS]\d+|fuzz", row[0])[0] for row in ROWS}
    wanted = {f"{letter}{n}" for letter, last in LENGTHS.items() for n in range(1, last + 1)}
    assert wanted - named == set()
    assert all(len(row) == 6 and all(row) for row in ROWS)


def test_every_test_of_the_table_is_there():
    for row in ROWS:
        files = re.findall(r"(tests/[\w/]+\.py)", row[3])
        assert files, row[0]
        text = "".join((ROOT / file).read_text("utf-8") for file in files)
        for name in re.findall(r"::(\w+)", row[3]):
            assert re.search(rf"def {name}", text), (row[0], name)


def test_every_line_has_a_test_of_its_name():
    text = "".join(path.read_text("utf-8") for path in (ROOT / "tests/faults").glob("*.py"))
    for letter, last in LENGTHS.items():
        for number in range(1, last + 1):
            assert re.search(rf"def test_{letter.lower()}{number}_", text), f"{letter}{number}"
