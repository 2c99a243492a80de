"""OpenAPI 3.1 description of the API, generated from the structs that decode and encode its bodies."""

from collections.abc import Callable
from typing import Any

from spectree import Response, SpecTree
from spectree.model_adapter import get_msgspec_model_adapter

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
    query: Any = None,
    errors: tuple[int, ...] = (401, 403),
    also: tuple[int, ...] = (),
    tag: str = "reading",
) -> Decorator:
    """Decorator that describes an address: the structs of its answer, body and query, and its error statuses.

    `also`: statuses other than 200 that have the same body as 200.

    It validates nothing: the view decodes its body within the limits of `server.api.request_body`.
    """
    statuses = {"HTTP_200": answer, **{f"HTTP_{status}": ErrorAnswer for status in errors}}
    return spec.validate(
        json=json,
        query=query,
        resp=Response(**statuses, **{f"HTTP_{status}": answer for status in also}),
        tags=(tag,),
        skip_validation=True,
        validation_error_status=400,
    )
