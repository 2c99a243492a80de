"""Corrections: build the ledger entry of a form on an item's page.

Each entry has a reason and the person of the session. A wrong scan gets a `correct`, a missing one a `checkin`, a
superfluous one a `void`; no event is overwritten.
"""

from collections.abc import Mapping
from typing import Any

from server.api_errors import ApiError
from server.auth.gate import caller
from server.ledger.entries import Entry
from server.locale_format import LocaleFormat
from server.web.form_entries import milli, moment

MOST_WORDS = 2_000


def entry_of(form: Mapping[str, str], item: str, locale: LocaleFormat, now_us: int) -> Entry:
    """The entry of a submitted form about an item. Raises `ApiError` 400 for an incomplete or unknown form."""
    do = form.get("do", "")
    if do == "note":
        return Entry("note", {"item": item, "text": _words(form, "text")}, caller().name)
    if do == "void":
        log, seq = _scan(form)
        return Entry("void", {"log": log, "seq": seq, "why": _words(form, "why")}, caller().name)
    if do == "put-right":
        return _correction(form, locale)
    if do == "add":
        return _addition(form, item, locale, now_us)
    raise ApiError(400, f"a form with do={do[:40]!r}", "put-right, add, void or note", "Use the forms on the page.")


def _correction(form: Mapping[str, str], locale: LocaleFormat) -> Entry:
    """A scan was wrong: the fields that it should have. Its time is that of the device, and is not corrected."""
    if form.get("at", "").strip():
        raise ApiError(
            400,
            "a scan and a time",
            "a scan, whose time stays, or a time without a scan",
            "Take this scan back and add it as not scanned, at its time.",
        )
    log, seq = _scan(form)
    fields = _fields(form, locale)
    if not fields:
        raise ApiError(400, "a correction without a changed field", "at least one field", "Choose what it was.")
    why = _words(form, "why")
    return Entry("correct", {"log": log, "from_seq": seq, "to_seq": seq, "set": fields, "why": why}, caller().name)


def _addition(form: Mapping[str, str], item: str, locale: LocaleFormat, now_us: int) -> Entry:
    """Something was not scanned: the scan that is missing, at its time; without a time, now."""
    if form.get("scan"):
        raise ApiError(
            400, "a scan in the form for what was not scanned", "no scan", "Use the form for a scan that was wrong."
        )
    fields = _fields(form, locale)
    if "stage" not in fields:
        raise ApiError(400, "a scan to be added, without a stage", "the stage of the scan", "Choose the stage.")
    at_us = moment(form.get("at", ""), locale)
    if at_us is not None and at_us > now_us:
        raise ApiError(
            400,
            f"the time {locale.at(at_us)}, which is in the future",
            f"a time that has passed; now it is {locale.at(now_us)}",
            "Enter the time at which it happened.",
        )
    why = _words(form, "why")
    return Entry("checkin", {"item": item, **fields, "why": why}, caller().name, at_us)


def _fields(form: Mapping[str, str], locale: LocaleFormat) -> dict[str, Any]:
    """The fields of a scan that the form contains."""
    fields: dict[str, Any] = {
        name: form[name].strip() for name in ("stage", "action", "operator", "item") if form.get(name, "").strip()
    }
    quantity = milli(form.get("quantity", ""), locale)
    return fields if quantity is None else {**fields, "qty_milli": quantity}


def _scan(form: Mapping[str, str]) -> tuple[str, int]:
    log, _, seq = form.get("scan", "").partition(":")
    if not log or not seq.isascii() or not seq.isdecimal() or len(seq) > 18:
        raise ApiError(400, "no scan", "a scan of the page", "Choose the scan.")
    return log, int(seq)


def _words(form: Mapping[str, str], name: str) -> str:
    words = form.get(name, "").strip()
    if not words:
        raise ApiError(
            400,
            "no reason" if name == "why" else "an empty note",
            "a few words",
            "Write the reason." if name == "why" else "Write the note.",
        )
    return words[:MOST_WORDS]
