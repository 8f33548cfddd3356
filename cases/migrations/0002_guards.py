"""What the database refuses: see ``cases.guards``."""

from django.db import migrations

from cases import states
from cases.guards import append_only, by_request, by_time, erased_stays_erased, legal_state, second_person

APPEND_ONLY = (
    "cases_draft",
    "cases_caseevent",
    "cases_policyversion",
    "cases_rulefailure",
    "cases_denial",
    "cases_breakeralarm",
    "cases_breakerreset",
    "cases_historicalbreakerrule",
    "cases_historicalcustomernoticesettings",
    "cases_historicalcustomertemplate",
    "cases_promise",
    "cases_selftest",
    "cases_historicalnoticechannel",
    "cases_historicalinterimtemplate",
    "cases_historicalresumerequest",
    "cases_historicalautomationswitch",
    "cases_historicalcase",
    "cases_historicalmembership",
    "cases_historicalpolicy",
    "cases_historicaltenant",
    "cases_historicaltriggercondition",
    "cases_historicalwebhookendpoint",
    "cases_accessevent",
    "cases_changerequest",
    "cases_changeanswer",
    "cases_headreceipt",
    "cases_historicalsealpublishing",
    "cases_seal",
    "cases_sealedtable",
    "cases_sealshape",
    "cases_dataview",
    "cases_erasurereceipt",
    "cases_historicallegalhold",
    "cases_historicalretentionrule",
    "cases_auditremoval",
)


class Migration(migrations.Migration):
    dependencies = (("cases", "0001_initial"),)

    operations = (
        legal_state("cases_case", states.INITIAL, states.MOVES),
        *map(append_only, APPEND_ONLY),
        second_person("cases_changeanswer", "cases_changerequest"),
        erased_stays_erased("cases_content", "cases_case"),
        by_time("cases_historicalcase"),
        by_request("cases_historicalcase"),
    )
