"""Office work of the demo: entries about the past days, so that each page of the hub has something to show.

Half of the finished orders are closed, an order that was not started is cancelled, and one scan is put right, with a note.
"""

from collections.abc import Sequence
from typing import Any

from server.demo.station_client import DemoClient
from server.urls import item_url

OFFICE = "J. Brandt"


def office_work(client: DemoClient, badges: Sequence[str]) -> None:
    """Make the entries, with the office's token."""
    finished = client.get("/api/v1/orders?status=finished")["orders"]
    entries = [_closing(order["order"], "complete") for order in finished[: len(finished) // 2]]
    not_started = [order for order in client.get("/api/v1/orders?status=open")["orders"] if _is_waiting(order)]
    entries += [_closing(order["order"], "cancelled") for order in not_started[-1:]]
    entries += _put_right(client, finished[-1]["order"], badges) if finished else []
    if entries:
        client.post("/api/v1/entries", {"entries": [{**entry, "by": OFFICE} for entry in entries]})


def _closing(order: str, how: str) -> dict[str, Any]:
    return {"what": "order.close", "data": {"order": order, "how": how}}


def _is_waiting(order: dict[str, Any]) -> bool:
    return [place["state"] for place in order["where"]] == ["released"]


def _put_right(client: DemoClient, order: str, badges: Sequence[str]) -> list[dict[str, Any]]:
    """A note, and another operator for the newest scan of an order."""
    events = client.get(f"/api/v1{item_url(order)}")["events"]
    scan = next((event for event in events if event["kind"] == "scan" and not event["repeat"]), None)
    note = {"what": "note", "data": {"item": order, "text": "Customer asks for a certificate of material."}}
    if scan is None:
        return [note]
    operator = next(badge for badge in badges if badge != scan["by"])
    place = {"log": scan["log"], "from_seq": scan["seq"], "to_seq": scan["seq"]}
    why = "scanned with the badge of a colleague"
    return [note, {"what": "correct", "data": {**place, "set": {"operator": operator}, "why": why}}]
