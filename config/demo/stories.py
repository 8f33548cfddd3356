"""All that happened, by tenant."""

from collections.abc import Mapping

from config.demo.cases_acme_billing import BILLING
from config.demo.cases_acme_daily import DAILY
from config.demo.cases_acme_last_week import LAST_WEEK
from config.demo.cases_acme_service import ACCOUNT, GENERAL, KNOWLEDGE, LEGAL, SHIPPING
from config.demo.cases_skylark import SKYLARK_CASES
from config.demo.cases_skylark_daily import SKYLARK_DAILY
from config.demo.cases_wellspring import WELLSPRING_CASES
from config.demo.cases_wellspring_daily import WELLSPRING_DAILY
from config.demo.story import Story

STORIES: Mapping[str, tuple[Story, ...]] = {
    "acme": (*BILLING, *SHIPPING, *ACCOUNT, *LEGAL, *GENERAL, *KNOWLEDGE, *DAILY, *LAST_WEEK),
    "skylark": (*SKYLARK_CASES, *SKYLARK_DAILY),
    "wellspring": (*WELLSPRING_CASES, *WELLSPRING_DAILY),
}
