"""The practice gateway's page: what its buttons do. There is none where payments are real."""

from uuid import UUID

from pixshift.errors import InvalidInput, NotFound
from pixshift.gateways.practice_decisions import Decision, PracticePage
from pixshift.gateways.practice_payments import PracticeGateway
from pixshift.services.toolbox import Toolbox

# The buttons in their order, with what they say.
BUTTONS = {
    Decision.PAY: "Pay",
    Decision.PAY_AND_SAVE: "Pay and keep this card",
    Decision.CONFIRM: "Confirm, as at your bank",
    Decision.REFUSE_BANK: "Refuse, as at your bank",
    Decision.NEED_BANK: "Let the bank ask first",
    Decision.DECLINE: "Let the card be declined",
    Decision.NO_FUNDS: "Let the money be too little",
    Decision.NEXT_MONTH_PAID: "A month later, paid",
    Decision.NEXT_MONTH_UNPAID: "A month later, not paid",
    Decision.EXPIRE: "Let this page close",
}
_STAYS = frozenset({Decision.DECLINE, Decision.NO_FUNDS, Decision.NEED_BANK, Decision.REFUSE_BANK})


def page(toolbox: Toolbox, user_id: UUID, session_id: str) -> PracticePage:
    """One's own page. Raises NotFound, also where payments are real."""
    found = _gateway(toolbox).page(session_id)
    if found is None or found.user_id != user_id:
        raise NotFound("There is no such payment.")
    return found


def decide(toolbox: Toolbox, user_id: UUID, session_id: str, word: str) -> str | None:
    """Do what a button says; where the payer goes next, None: they stay. Raises NotFound or InvalidInput."""
    before = page(toolbox, user_id, session_id)
    if word not in set(Decision):
        raise InvalidInput("Choose one of the buttons.", field="what")
    what = Decision(word)
    _gateway(toolbox).decide(session_id, what)
    if what is Decision.CANCEL:
        return before.cancel_url
    if what in _STAYS:
        return None
    return before.return_url


def _gateway(toolbox: Toolbox) -> PracticeGateway:
    gateway = toolbox.gateways.payments.get("practice")
    if not isinstance(gateway, PracticeGateway):
        raise NotFound("There is no such page.")
    return gateway
