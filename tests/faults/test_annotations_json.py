"""JSON files that are cut, nested, enormous, or give a key twice, through every loader."""

import json

import pytest
from annotation_forms import FORMS, write_form
from peak_memory import growth

MEGABYTE = 1 << 20
LINES = ("tracks",)
"""Forms whose cut last line is no error, since a killed run leaves one."""


def twice(text):
    """The text with a key given twice in its last object."""
    start = text.rindex("{") + 1
    return f'{text[:start]}"again":0,"again":1,{text[start:]}'


FAULTS = {
    "cut": (lambda text: text[: len(text) * 3 // 5], r"line 1|column|entry|char"),
    "cut at the first value": (
        lambda text: text[: text.index(":") + 1],
        "line|column|char|expected",
    ),
    "empty": (lambda text: "", "line 1|column|expected"),
    "deep list": (lambda text: "[" * 100_000, "nested|recursion|object|expected"),
    "deep value": (
        lambda text: text.replace(":", ":" + '{"a":' * 100_000, 1),
        "nested|recursion|object|expected",
    ),
    "a key twice": (twice, "every key once, received 'again' twice"),
    "other encoding": (lambda text: text.encode("utf-16"), "UTF-8|utf-8|expected"),
    "text behind the end": (lambda text: text + "]", "Extra data|end of the file|nothing after|ex"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", FORMS)
def test_a8_damaged_json_is_refused_with_the_place(name, fault, tmp_path):
    form = FORMS[name]
    path, text = write_form(name, tmp_path)
    change, message = FAULTS[fault]
    changed = change(text)
    path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    if name in LINES and fault in ("cut", "text behind the end"):
        form.use(path, tmp_path)
        return
    with pytest.raises(form.ours, match=message) as raised:
        form.use(path, tmp_path)
    assert len(str(raised.value)) < 1000 and path.name in str(raised.value)


@pytest.mark.parametrize("name", [name for name in FORMS if name not in LINES])
def test_a8_a_byte_order_mark_is_passed_over(name, tmp_path):
    path, text = write_form(name, tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    FORMS[name].use(path, tmp_path)


@pytest.mark.parametrize("name", FORMS)
def test_a8_two_gigabytes_are_not_read(name, tmp_path):
    path, text = write_form(name, tmp_path)
    with path.open("r+b") as file:
        file.truncate(2 << 30)  # zeros that take no space
    with growth() as grown, pytest.raises(FORMS[name].ours, match="bytes"):
        FORMS[name].use(path, tmp_path)
    assert grown.kilobytes * 1024 < 300 * MEGABYTE
    assert json.loads(text.splitlines()[0])
