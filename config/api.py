"""The API's routes (DESIGN section 4)."""

from django.urls import path

from approvals import api as actions
from cases.api import automation, cases
from cases.api.bulk import BulkView
from cases.api.satisfaction import SatisfactionView
from feedback import exports_api as exports
from feedback import weekly_api as weekly_exports
from feedback.api import ReviewDraftView, ReviewsView
from feedback.firsts_api import FirstOpinionView
from feedback.metrics.api import MetricsView
from queues import api as queues
from queues import aside_api

app_name = "api"

urlpatterns = [
    # First, since routes are tried in turn and this one is asked before each call of an AI.
    path("automation/", automation.AutomationView.as_view(), name="automation"),
    path("cases/", cases.CaseListView.as_view(), name="cases"),
    path("cases/bulk/", BulkView.as_view(), name="cases-bulk"),
    path("cases/<str:case_id>/", cases.CaseView.as_view(), name="case"),
    path("cases/<str:case_id>/timeline/", cases.TimelineView.as_view(), name="case-timeline"),
    path("cases/<str:case_id>/drafts/", cases.DraftsView.as_view(), name="case-drafts"),
    path("cases/<str:case_id>/withdraw/", cases.WithdrawView.as_view(), name="case-withdraw"),
    path("cases/<str:case_id>/escalate/", cases.EscalateView.as_view(), name="case-escalate"),
    path("cases/<str:case_id>/satisfaction/", SatisfactionView.as_view(), name="case-satisfaction"),
    path("cases/<str:case_id>/review-draft/", ReviewDraftView.as_view(), name="case-review-draft"),
    path("cases/<str:case_id>/reviews/", ReviewsView.as_view(), name="case-reviews"),
    path("cases/<str:case_id>/first-opinion/", FirstOpinionView.as_view(), name="case-first-opinion"),
    path("cases/<str:case_id>/heartbeat/", queues.HeartbeatView.as_view(), name="case-heartbeat"),
    path("cases/<str:case_id>/release/", aside_api.ReleaseView.as_view(), name="case-release"),
    path("cases/<str:case_id>/hand-up/", aside_api.HandUpView.as_view(), name="case-hand-up"),
    path("cases/<str:case_id>/skip/", aside_api.SkipView.as_view(), name="case-skip"),
    path("cases/<str:case_id>/snooze/", aside_api.SnoozeView.as_view(), name="case-snooze"),
    path("cases/<str:case_id>/decline/", aside_api.DeclineView.as_view(), name="case-decline"),
    path("cases/<str:case_id>/consult/", aside_api.ConsultView.as_view(), name="case-consult"),
    path("cases/<str:case_id>/stop-waiting/", aside_api.StopWaitingView.as_view(), name="case-stop-waiting"),
    path("cases/<str:case_id>/answer/", aside_api.AnswerView.as_view(), name="case-answer"),
    path("questions/", aside_api.QuestionsView.as_view(), name="questions"),
    path("queues/", queues.QueueListView.as_view(), name="queues"),
    path("queues/claim/", queues.ClaimView.as_view(), name="claim"),
    path("actions/", actions.ActionListView.as_view(), name="actions"),
    path("actions/<str:action_id>/", actions.ActionView.as_view(), name="action"),
    path("actions/<str:action_id>/approve/", actions.ApproveView.as_view(), name="action-approve"),
    path("actions/<str:action_id>/reject/", actions.RejectView.as_view(), name="action-reject"),
    path("actions/<str:action_id>/edit/", actions.EditView.as_view(), name="action-edit"),
    path("actions/<str:action_id>/cancel/", actions.CancelView.as_view(), name="action-cancel"),
    path("actions/<str:action_id>/preview/", actions.PreviewView.as_view(), name="action-preview"),
    path("actions/<str:action_id>/take-back/", actions.TakeBackView.as_view(), name="action-take-back"),
    path("actions/<str:action_id>/reconcile/", actions.ReconcileView.as_view(), name="action-reconcile"),
    path("exports/", exports.ExportsView.as_view(), name="exports"),
    path("exports/weekly/", weekly_exports.WeeklyExportsView.as_view(), name="weekly-exports"),
    path("exports/weekly/<str:weekly_id>/", weekly_exports.WeeklyExportView.as_view(), name="weekly-export"),
    path(
        "exports/weekly/<str:weekly_id>/download/",
        weekly_exports.WeeklyDownloadView.as_view(),
        name="weekly-export-download",
    ),
    path("exports/<str:export_id>/", exports.ExportView.as_view(), name="export"),
    path("exports/<str:export_id>/download/", exports.DownloadView.as_view(), name="export-download"),
    path("exports/<str:export_id>/cancel/", exports.CancelExportView.as_view(), name="export-cancel"),
    path("metrics/", MetricsView.as_view(), name="metrics"),
    path("automation/stop/", automation.StopView.as_view(), name="automation-stop"),
    path("automation/recall/", automation.RecallView.as_view(), name="automation-recall"),
    path("automation/resume/", automation.ResumeView.as_view(), name="automation-resume"),
]
