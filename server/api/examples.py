"""Examples of the OpenAPI document: for each operation a request and its answer, from a small shop.

`tests/support/api_examples.py` writes them; a test asks the same and compares.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

EXAMPLES = Path(__file__).parent / "examples.json"
_VARIABLE = re.compile(r"\\{(\w+)\\}")  # of an address whose other characters are escaped
_JSON = "application/json"


def add_examples(document: dict[str, Any]) -> None:
    """Give the parameters, the bodies and the answers of the operations of an OpenAPI document their examples."""
    for operation, example in _examples().items():
        method, _, address = operation.partition(" ")
        described = document["paths"][address][method.lower()]
        values = _values(address, example["path"])
        for parameter in described.get("parameters", ()):
            if parameter["name"] in values:
                parameter["example"] = _typed(values[parameter["name"]], parameter["schema"])
        if example["body"] is not None:
            described["requestBody"]["content"][_JSON]["example"] = example["body"]
        if example["answer"] is not None:
            described["responses"]["200"]["content"][_JSON]["example"] = example["answer"]


@cache
def _examples() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(EXAMPLES.read_text())
    return found


def _values(address: str, path: str) -> dict[str, str]:
    """The variables and the query words of a request."""
    parts = urlsplit(path)
    found = re.fullmatch(_VARIABLE.sub(r"(?P<\1>[^/]+)", re.escape(address)), parts.path)
    assert found is not None, (address, path)
    return {**{name: unquote(text) for name, text in found.groupdict().items()}, **dict(parse_qsl(parts.query))}


def _typed(text: str, schema: dict[str, Any]) -> str | int:
    return int(text) if schema.get("type") == "integer" else text
