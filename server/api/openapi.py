"""OpenAPI 3.1 description of the API, generated from the structs that decode and encode its bodies."""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from functools import wraps
from http import HTTPStatus
from typing import Any

import msgspec
import msgspec.inspect
from flask import current_app, request
from spectree import Response, SpecTree
from spectree.model_adapter import get_msgspec_model_adapter

from server.api_errors import ApiError
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


def documented(
    answer: Any,
    *,
    json: Any = None,
    query: type[msgspec.Struct] | None = None,
    words: tuple[str, ...] = (),
    errors: tuple[int, ...] = (401, 403),
    also: tuple[int, ...] = (),
    tag: str = "reading",
) -> Decorator:
    """Decorator that describes an address: the structs of its answer, body and query, and its error statuses.

    It stores `answer` as an attribute of the view, which `description` reads.

    `also`: statuses other than 200 that have the same body as 200. `words`: query words beside those of `query`.

    An address whose errors include 400 refuses unknown query words; it validates nothing else: the view decodes its body
    within the limits of `server.api.request_body`.
    """
    known = frozenset((*(query.__struct_fields__ if query is not None else ()), *words))
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
        @wraps(view)
        def checked(*args: Any, **named: Any) -> Any:
            if request.method == "GET":
                refuse_unknown_words(known)
            return view(*args, **named)

        described = validate(checked if HTTPStatus.BAD_REQUEST in errors else view)
        described.answer = answer
        return described

    return decorate


def refuse_unknown_words(known: Iterable[str]) -> None:
    """Raise `ApiError` 400 where the query has a word that this address does not know: it would have no effect."""
    names = sorted(known)
    unknown = next((word for word in request.args if word not in names), None)
    if unknown is not None:
        expected = f"one of {', '.join(names)}" if names else "none"
        raise ApiError(400, f"the query word {unknown[:40]!r}", expected, "Leave it out, or correct its name.")


def description() -> dict[str, Any]:
    """The OpenAPI document of all described addresses.

    In a struct of `station.core.protocol` the default of an answer's field lets a station decode the answer of an earlier
    hub. This hub always encodes the field, so the document requires it; a struct with `omit_defaults` is left unchanged.
    """
    document: dict[str, Any] = deepcopy(spec.spec)
    schemas = document["components"]["schemas"]
    answers = [view.answer for view in current_app.view_functions.values() if hasattr(view, "answer")]
    for struct in _structs(msgspec.inspect.multi_type_info([ErrorAnswer, *answers])):
        if not struct.__struct_config__.omit_defaults:
            schema = schemas[struct.__name__]
            schema["required"] = list(schema["properties"])
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
