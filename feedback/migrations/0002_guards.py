"""What the database refuses: see ``cases.guards``."""

from django.db import migrations

from cases.guards import append_only, legal_state
from feedback.states import EXPORT_INITIAL, EXPORT_MOVES, WEEKLY_INITIAL, WEEKLY_MOVES

APPEND_ONLY = (
    "feedback_review",
    "feedback_correctionlabel",
    "feedback_exportedoverride",
    "feedback_exportedlabel",
    "feedback_historicaltextsnippet",
    "feedback_shadowverdict",
    "feedback_historicalshadowpolicy",
    "feedback_datasetversion",
    "feedback_historicalpushtarget",
    "feedback_plantedchallenge",
    "feedback_challengeresult",
    "feedback_resultseen",
    "feedback_historicalchallenge",
    "feedback_historicalchallengepolicy",
    "feedback_historicaltrainingalert",
    "feedback_historicalfrictioncap",
    "feedback_learnedweights",
    "feedback_thresholdevidence",
    "feedback_firstopinion",
    "feedback_historicalblindfirstpolicy",
    "feedback_driftalert",
    "feedback_historicaldwellpolicy",
)


class Migration(migrations.Migration):
    dependencies = (("feedback", "0001_initial"),)

    operations = (
        legal_state("feedback_weeklyexport", WEEKLY_INITIAL, WEEKLY_MOVES),
        legal_state("feedback_export", EXPORT_INITIAL, EXPORT_MOVES),
        legal_state("feedback_evidencepack", EXPORT_INITIAL, EXPORT_MOVES),
        *map(append_only, APPEND_ONLY),
    )
