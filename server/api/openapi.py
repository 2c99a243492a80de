"""OpenAPI 3.1 description of the API, generated from the structs that decode and encode its bodies, with examples."""

import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

import msgspec
import msgspec.inspect
from flask import current_app
from spectree import Response, SpecTree
from spectree.model_adapter import get_msgspec_model_adapter

from server.api.examples import add_examples
from station.core.protocol import ErrorAnswer
from station.system.version import version

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

spec = SpecTree(
    "flask",
    mode="strict",
    title="wipline hub",
    version=version(),
    openapi_version="3.1.0",
    model_adapter=get_msgspec_model_adapter(),
    naming_strategy=lambda model: model.__name__,
    nested_naming_strategy=lambda _parent, child: child,
    validation_error_status=400,
    validation_error_model=ErrorAnswer,
    security_schemes=[],
    page_templates={},
)

_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")


def documented(
    answer: Any,
    *,
    json: Any = None,
    query: type[msgspec.Struct] | None = None,
    errors: tuple[int, ...] = (401, 403),
    also: tuple[int, ...] = (),
    files: tuple[str, ...] = (),
    tag: str = "reading",
) -> Decorator:
    """Decorator that describes an address: the structs of its answer, body and query, and its error statuses.

    It stores `answer` as an attribute of the view, which `description` reads, and the fields of `query` as its query words.

    `also`: statuses other than 200 that have the same body as 200. `files`: the media types of a file that is answered in
    place of JSON; `answer` is then None.

    It validates nothing: the view decodes its body within the limits of `server.api.request_body`.
    """
    statuses = {"HTTP_200": answer, **{f"HTTP_{status}": ErrorAnswer for status in errors}}
    validate = spec.validate(
        json=json,
        query=query,
        resp=Response(**statuses, **{f"HTTP_{status}": answer for status in also}),
        tags=(tag,),
        skip_validation=True,
        validation_error_status=400,
    )

    def decorate(view: Callable[..., Any]) -> Any:
        described = validate(view)
        described.answer, described.files = answer, files
        described.query_words = () if query is None else query.__struct_encode_fields__
        return described

    return decorate


def description() -> dict[str, Any]:
    """The OpenAPI document of all described addresses.

    In a struct of `station.core.protocol` the default of an answer's field lets a station decode the answer of an earlier
    hub. This hub always encodes the field, so the document requires it; a struct with `omit_defaults` is left unchanged.
    """
    document: dict[str, Any] = deepcopy(spec.spec)
    schemas = document["components"]["schemas"]
    views = current_app.view_functions
    answers = [answer for view in views.values() if (answer := getattr(view, "answer", None)) is not None]
    for rule in current_app.url_map.iter_rules():
        for media in getattr(views[rule.endpoint], "files", ()):
            method = "post" if "POST" in (rule.methods or ()) else "get"
            answer = document["paths"][_VARIABLE.sub(r"{\1}", rule.rule)][method]["responses"]["200"]
            answer.setdefault("content", {})[media] = {"schema": {"type": "string", "format": "binary"}}
    for struct in _structs(msgspec.inspect.multi_type_info([ErrorAnswer, *answers])):
        if not struct.__struct_config__.omit_defaults:
            schema = schemas[struct.__name__]
            schema["required"] = list(schema["properties"])
    for operation in (operation for of_address in document["paths"].values() for operation in of_address.values()):
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = parameter["schema"] or {"type": "string"}  # the library knows no variable of ours
    add_examples(document)
    return document


def _structs(types: Iterable[msgspec.inspect.Type]) -> Iterator[type[msgspec.Struct]]:
    """The structs in these types, with the structs of their fields."""
    for info in types:
        match info:
            case msgspec.inspect.StructType(cls=struct, fields=fields):
                yield struct
                yield from _structs(field.type for field in fields)
            case msgspec.inspect.ListType(item_type=item):
                yield from _structs([item])
            case msgspec.inspect.DictType(value_type=value):
                yield from _structs([value])
            case msgspec.inspect.UnionType(types=alternatives):
                yield from _structs(alternatives)
