"""Webhooks: sending again by hand, and the backlog that monitors see."""

from datetime import timedelta

import pytest

from cases.clock import db_now
from cases.models import CaseEvent, Delivery, Tenant, User, WebhookEndpoint
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import deliveries
from cases.services.deliveries import backlog, resend
from cases.services.people import assign_roles, create_tenant
from tests.cases import receiver as receiving
from tests.cases.deliveries.sending import only_delivery, open_case, record, sweep

pytestmark = pytest.mark.django_db
Kind = CaseEvent.Kind
State = Delivery.State


def member(tenant: Tenant, *roles: str) -> User:
    user = User.objects.create(username=f"{tenant.slug}-{'-'.join(roles) or 'nobody'}")
    if roles:
        assign_roles(user, tenant, list(roles), actor=system_actor())
    return user


@pytest.fixture
def dead(endpoint: WebhookEndpoint, tenant: Tenant) -> Delivery:
    record(open_case(tenant), Kind.OPENED)
    Delivery.objects.update(state=State.DEAD, attempts=13, last_status=500)
    return only_delivery()


def test_an_admin_sends_a_dead_delivery_again_under_its_id(dead, receiver, tenant):
    resend(dead.pk, actor=member(tenant, "tenant_admin"))
    sweep()
    assert receiver.requests[0].headers["webhook-id"] == dead.event.wire_id
    assert only_delivery().state == State.DELIVERED


@pytest.mark.parametrize("role", ["reviewer", "supervisor", "compliance"])
def test_others_may_not_send_it_again(dead, tenant, role):
    with pytest.raises(Denied):
        resend(dead.pk, actor=member(tenant, role))
    assert only_delivery().state == State.DEAD


def test_another_tenants_admin_may_not_send_it_again(dead):
    other = create_tenant(actor=system_actor(), slug="other", name="Other")
    with pytest.raises(Denied):
        resend(dead.pk, actor=member(other, "tenant_admin"))
    assert only_delivery().state == State.DEAD


def test_only_a_dead_delivery_is_sent_again(dead, tenant):
    Delivery.objects.update(state=State.DELIVERED)
    with pytest.raises(deliveries.NotDead, match="Nothing was changed"):
        resend(dead.pk, actor=member(tenant, "tenant_admin"))


def test_the_backlog_tells_a_dead_worker_from_a_dead_receiver(endpoint, receiver, tenant):
    assert backlog() == deliveries.Backlog(timedelta(0), None, 0)
    case = open_case(tenant)
    event = record(case, Kind.OPENED)
    Delivery.objects.update(next_attempt_at=db_now() - timedelta(minutes=5))
    assert backlog().late >= timedelta(minutes=5)  # Nobody sends.
    receiver.then(receiving.answer(500))
    sweep()
    record(case, Kind.WITHDRAWN)
    assert backlog().late == timedelta(0)  # Somebody does, and the receiver fails.
    assert backlog().oldest == event.at
    Delivery.objects.filter(event=event).update(state=State.DEAD)
    assert backlog().dead == 1
