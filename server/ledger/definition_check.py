"""Definition check: a definition, a cost or a binding has a subject that the shop has, and no two persons have one badge."""

from collections.abc import Callable
from typing import Any

from server.ledger.candidates import Refusal
from server.ledger.shop_names import PERSON, PRODUCT, ROUTING, ShopNames
from server.text import nearest
from station.core.codes import CodeType
from station.core.ledger.rules import ON_BY_DEFAULT


def _rule(_names: ShopNames, data: dict[str, Any]) -> Refusal | None:
    rule = data["rule"]
    if rule in ON_BY_DEFAULT:
        return None
    return Refusal(f"rule.define of {rule!r}", f"one of {', '.join(ON_BY_DEFAULT)}", nearest(rule, ON_BY_DEFAULT))


def _cost(names: ShopNames, data: dict[str, Any]) -> Refusal | None:
    if not data.get("component") and not data.get("product"):
        expected = "`component`, with `product` and `op` for work on a product"
        return Refusal("cost.set without a subject", expected, "Send what has this cost.")
    return names.unknown("cost.set", PRODUCT, data.get("product") or None)


def _reread(_names: ShopNames, data: dict[str, Any]) -> Refusal | None:
    if any(data.get(name) is not None for name in ("code", "item", "log")):
        return None
    return Refusal("reread without a subject", "`code`, `item`, or `log`", "Send what is read anew.")


def _product(names: ShopNames, data: dict[str, Any]) -> Refusal | None:
    """Its routing is known, and so is the product that replaces it, which does not lead back to it."""
    name, replaced_by = data["product"], data.get("replaced_by")
    came = f"product.define of {name}"
    refused = names.unknown(came, ROUTING, data.get("routing") or None)
    if refused is not None or replaced_by is None:
        return refused
    if replaced_by != name and (refused := names.unknown(f"{came} that is replaced", PRODUCT, replaced_by)):
        return refused
    chain = [replaced_by]
    while chain[-1] != name:
        after = names.of(PRODUCT).get(chain[-1], {}).get("replaced_by")
        if not isinstance(after, str) or after in chain:
            return None
        chain.append(after)
    expected = "a replacement that does not lead back to it"
    return Refusal(f"{came} replaced by {', then by '.join(chain)}", expected, "Name the product that is made now.")


def _person(names: ShopNames, data: dict[str, Any]) -> Refusal | None:
    """The badge belongs to no other person, after all entries of the request: two persons may exchange their badges."""
    badge, person = data.get("badge"), data["person"]
    if badge is None:
        return None
    owners = [name for name, other in names.of(PERSON).items() if other.get("badge") == badge and name != person]
    if not owners or names.of(PERSON).get(person, {}).get("badge") != badge:
        return None
    return Refusal(
        f"person.define of {person} with the badge {badge}, which {owners[0]} has",
        "a badge that no other person has",
        f"Give {person} another badge, or define {owners[0]} without it first.",
    )


def _bound(names: ShopNames, data: dict[str, Any]) -> Refusal | None:
    """A code is bound to a person or a product of the shop; a badge names a person by the id or another badge."""
    came, to = f"code.bind of {data['code']}", data.get("to") or None
    if data.get("as") == CodeType.BADGE:
        return names.unknown_person(came, to)
    return names.unknown(came, PRODUCT, to) if data.get("as") == CodeType.PRODUCT else None


SHOP_CHECKS: dict[str, Callable[[ShopNames, dict[str, Any]], Refusal | None]] = {
    "rule.define": _rule,
    "cost.set": _cost,
    "reread": _reread,
    "product.define": _product,
    "person.define": _person,
    "code.bind": _bound,
}
