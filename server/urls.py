"""Addresses whose last segment may be any text: a code that contains slashes is one name, not a path.

The server decodes %2F before it matches routes, so the whole rest of the path is the segment.
"""

from urllib.parse import quote

from flask import Blueprint, request
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter

from server.api_errors import ApiError


class PathSegment(BaseConverter):
    """URL converter that matches everything up to the end of the path, slashes at either end included."""

    regex = ".+"
    part_isolating = False


def segments(blueprint: Blueprint) -> None:
    """Register the converter `<segment:name>` for a blueprint; call it before the first route."""

    def register(setup: BlueprintSetupState) -> None:
        setup.app.url_map.converters.setdefault("segment", PathSegment)

    blueprint.record(register)


def before_pos() -> int | None:
    """The ledger position of the query word `before`; None without it. Raises `ApiError` 400."""
    text = request.args.get("before", "")
    if text and not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise ApiError(400, f"before {text[:40]!r}", "a position of the ledger", "Leave it out for the newest events.")
    return int(text) if text else None


def item_url(item: str) -> str:
    """The address of an item's page: its name percent-encoded in one segment, so that any text can be one.

    >>> item_url("WO-1/2"), item_url("..")
    ('/items/WO-1%2F2', '/items?code=..')
    """
    # A browser resolves these two as path steps, even percent-encoded.
    return f"/items?code={item}" if item in (".", "..") else f"/items/{quote(item, safe='')}"


def stage_url(stage: str) -> str:
    """The address of a stage's page."""
    return f"/stages?stage={stage}" if stage in (".", "..") else f"/stages/{quote(stage, safe='')}"
