"""Support, billing and warehouse do their work: nothing to say."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.demo.stories.story import Expects, Line, Story
from monitor.demo.stories.world import Crew, Tool, at, who

SUPPORT = Crew(
    role="support",
    names=("anna", "bela", "carl", "dora", "emil"),
    tools=(
        Tool("crm.ticket.read", "crm:read", "crm/tickets", fresh=0.3),
        Tool("crm.customer.read", "crm:read", "crm/customers", items=25, fresh=0.02),
        Tool("crm.customer.update", "crm:write", "crm/customers", items=25, fresh=0.02),
        Tool("crm.customer.delete", "crm:delete", "crm/customers", items=25, approver="privacy-desk"),
        Tool("mail.reply.send", "mail:send", "mail/customers", items=25, fresh=0.02),
    ),
    routines=(
        (5, ("crm.ticket.read", "crm.customer.read", "mail.reply.send")),
        (3, ("crm.ticket.read", "crm.customer.read", "crm.customer.update", "mail.reply.send")),
        (1, ("crm.ticket.read", "crm.customer.read", "crm.customer.delete", "mail.reply.send")),
    ),
    sessions_per_day=7,
    weekend=0.3,
)
BILLING = Crew(
    role="billing",
    names=("iris", "jens", "kaya", "liam"),
    tools=(
        Tool("billing.invoice.read", "billing:read", "billing/invoices", items=20, fresh=0.1),
        Tool("billing.invoice.create", "billing:write", "billing/invoices", items=20, amount=180, unit="EUR"),
        Tool("billing.refund.pay", "payments:send", "payments/refunds", amount=45, unit="EUR", approver="finance-desk"),
        Tool("ledger.entry.write", "ledger:write", "ledger/accounts", items=8),
    ),
    routines=(
        (4, ("billing.invoice.read", "billing.invoice.create", "ledger.entry.write")),
        (1, ("billing.invoice.read", "billing.refund.pay", "ledger.entry.write")),
    ),
    sessions_per_day=6,
    hours=(7, 17),
    weekend=0.05,
)
WAREHOUSE = Crew(
    role="warehouse",
    names=("nord", "ost", "sued", "west"),
    tools=(
        Tool("stock.level.read", "stock:read", "stock/articles", items=30),
        Tool("stock.order.create", "stock:write", "stock/orders", items=10, fresh=0.1, amount=40, unit="pieces"),
        Tool("stock.reservation.delete", "stock:delete", "stock/reservations", items=10, fresh=0.1),
    ),
    routines=(
        (4, ("stock.level.read", "stock.level.read", "stock.order.create")),
        (1, ("stock.level.read", "stock.reservation.delete", "stock.order.create")),
    ),
    sessions_per_day=6,
    hours=None,
    weekend=0.8,
)


def strike() -> Iterator[Line]:
    """On the second Thursday after the reference, carl deletes 200 customers in a quarter of an hour."""
    start = at(17, 10.5)
    for number in range(200):
        event = who(SUPPORT, "support/carl", start + 4 * number + number // 2, 99)
        target = f"crm/customers/{2000 + 7 * number}"
        yield event | {"action": "crm.customer.delete", "scope": "crm:delete", "target": target}


STORY = Story(
    name="a_quiet_week",
    prose="Thirteen agents of support, billing and warehouse work for two weeks and a third one: nothing happens.",
    quiet=True,
    crews=(SUPPORT, BILLING, WAREHOUSE),
    days=21,
    seed=1,
    strike=strike,
    expects=Expects("support/carl", "page", ("blast_radius",), "2026-03-19T10:30:00Z", "2026-03-19T10:46:00Z", "kill"),
)
