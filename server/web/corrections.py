"""What a person puts right on an item's page, as the one entry that says it.

Each names a reason and, through the session, who says so. A scan that was wrong is corrected, one that is missing is added,
one that should not be is taken back; nothing is overwritten.
"""

from collections.abc import Mapping
from typing import Any

from server.api_errors import ApiError
from server.auth.gate import caller
from server.ledger.entries import Entry
from server.locale_format import LocaleFormat
from server.web.form_entries import milli, moment

MOST_WORDS = 2_000


def entry_of(form: Mapping[str, str], item: str, tongue: LocaleFormat) -> Entry:
    """The entry that a form says of an item. Raises `ApiError` 400 where it says nothing that can be done."""
    do = form.get("do", "")
    if do == "note":
        return Entry("note", {"item": item, "text": _words(form, "text")}, caller().name)
    if do == "void":
        log, seq = _scan(form)
        return Entry("void", {"log": log, "seq": seq, "why": _words(form, "why")}, caller().name)
    if do == "put-right":
        said = _said(form)
        why = _words(form, "why")
        if form.get("scan"):
            return _correction(form, said, why)
        return _addition(form, item, said, why, tongue)
    raise ApiError(400, f"a form that does {do[:40]!r}", "put-right, void or note", "Use the forms on the page.")


def _correction(form: Mapping[str, str], said: dict[str, Any], why: str) -> Entry:
    if not said:
        raise ApiError(400, "a scan, and nothing that is different", "what it was instead", "Choose what it was.")
    log, seq = _scan(form)
    return Entry("correct", {"log": log, "from_seq": seq, "to_seq": seq, "set": said, "why": why}, caller().name)


def _addition(form: Mapping[str, str], item: str, said: dict[str, Any], why: str, tongue: LocaleFormat) -> Entry:
    if "stage" not in said:
        raise ApiError(400, "a scan to be added, without a stage", "where it was", "Choose the stage.")
    at_us = moment(form.get("at", ""), tongue)
    return Entry("checkin", {"item": item, **said, "why": why}, caller().name, at_us)


def _said(form: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a scan that the form fills in."""
    said: dict[str, Any] = {
        name: form[name].strip() for name in ("stage", "action", "operator", "item") if form.get(name, "").strip()
    }
    quantity = milli(form.get("quantity", ""))
    return said if quantity is None else {**said, "qty_milli": quantity}


def _scan(form: Mapping[str, str]) -> tuple[str, int]:
    log, _, seq = form.get("scan", "").partition(":")
    if not log or not seq.isascii() or not seq.isdecimal() or len(seq) > 18:
        raise ApiError(400, "no scan", "one of those on the page", "Choose which scan is meant.")
    return log, int(seq)


def _words(form: Mapping[str, str], name: str) -> str:
    words = form.get(name, "").strip()
    if not words:
        raise ApiError(400, "no reason" if name == "why" else "an empty note", "a few words", "Say why.")
    return words[:MOST_WORDS]
