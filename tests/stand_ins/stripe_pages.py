"""Stripe's own pages, as plain forms: paying, the payer's bank, and the portal."""

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tests.stand_ins.server import Exchange
from tests.stand_ins.stripe_books import Thing
from tests.stand_ins.stripe_params import Refusal

if TYPE_CHECKING:
    from tests.stand_ins.stripe import StripeStandIn

_PAY = {
    "pay": "Pay",
    "pay_and_save": "Pay and keep the card",
    "decline": "Pay with a card that is declined",
    "need_bank": "Pay with a card whose bank asks",
}
_BANK = {"confirm": "Confirm", "refuse_bank": "Refuse"}


def answer(stand_in: "StripeStandIn", exchange: Exchange) -> None:
    path = exchange.path.partition("?")[0]
    try:
        with stand_in.books.lock:
            if found := re.fullmatch(r"/c/pay/(cs_test_\w+)", path):
                _checkout(stand_in, exchange, stand_in.books.get(found[1], "checkout.session"))
            elif found := re.fullmatch(r"/p/session/(cus_\w+)", path):
                _portal(exchange, stand_in.books.get(found[1], "customer"))
            else:
                _show(exchange, "Nothing here", "", 404)
    except Refusal:
        _show(exchange, "Nothing here", "", 404)


def _checkout(stand_in: "StripeStandIn", exchange: Exchange, session: Thing) -> None:
    note = ""
    if exchange.command == "POST":
        what = parse_qs(exchange.body.decode()).get("what", [""])[0]
        if what in _PAY or what in _BANK:
            stand_in.checkout.decide(session["id"], what)
        note = "<p role=alert>That did not go through.</p>" if what in ("decline", "refuse_bank") else ""
    stand_in.checkout.settle(session)
    if session["status"] == "complete":
        back = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])
        exchange.reply(303, b"", "text/html", Location=back)
        return
    if session["status"] == "expired":
        _show(exchange, "This page has expired", _link(session))
        return
    asks = stand_in.checkout.waits_for_bank(session)
    amount = f"{session['amount_total'] / 100:.2f} {session['currency'].upper()}"
    buttons = "".join(
        f'<button name="what" value="{value}">{text}</button>\n' for value, text in (_BANK if asks else _PAY).items()
    )
    form = f'{note}<p>{amount}</p><form method="post">{buttons}</form>{_link(session)}'
    _show(exchange, "Your bank asks" if asks else "Pay", form)


def _portal(exchange: Exchange, customer: Thing) -> None:
    _show(exchange, "Card and invoices", f"<p>{html.escape(customer['id'])}</p>")


def _link(session: Thing) -> str:
    return f'<a href="{html.escape(session["cancel_url"] or "")}">Back</a>'


def _show(exchange: Exchange, title: str, body: str, status: int = 200) -> None:
    page = f"<!doctype html><html lang=en><title>{title}</title><h1>{title} (stand-in of Stripe)</h1>{body}</html>"
    exchange.reply(status, page.encode(), "text/html; charset=utf-8")
