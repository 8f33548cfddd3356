"""Where text rests, and what becomes of it: every column of the product that can hold words, decided on by somebody.

A test compares this with the models, so that a new column comes here first. A column that is emptied has no history,
and no column that is sealed is emptied.
"""

from enum import StrEnum


class Fate(StrEnum):
    EMPTIED = "emptied by an erasure, with its case"
    EXPIRES = "emptied by an erasure where it holds a case, and gone by itself soon"
    CALLERS = "an id, a tag or a code of the caller's choice, sealed: a receipt counts where it names the customer"
    CODE = "codes, names of things, digests, numbers; no text of or about a customer"
    OWN = "written by the tenant's people about their own set-up; pages ask them to name no customer"
    PEOPLE = "about the tenant's own people and how they sign in"
    DISGUISED = "made from a customer's case with its names replaced; its source is emptied, results stay"


_C, _O, _P = Fate.CODE, Fate.OWN, Fate.PEOPLE

# Model → columns by what becomes of them. What history keeps of a model has the fate of the model's own columns.
FATES: dict[str, dict[Fate, str]] = {
    "cases.AccessEvent": {_P: "way address reason", _C: "request_id"},
    "cases.AuditRemoval": {_C: "table key_id document signature request_id", _O: "reason"},
    "cases.AutomationSwitch": {_C: "domain action", _O: "reason"},
    "cases.BackupCode": {_C: "digest"},
    "cases.BreakerAlarm": {_C: "domain decision", _O: "name"},
    "cases.BreakerReset": {_O: "reason"},
    "cases.BreakerRule": {_C: "domain decision tells", _O: "name"},
    "cases.BreakerState": {_C: "domain decision counts sides"},
    "cases.Case": {
        Fate.EMPTIED: "resume_token",
        Fate.CALLERS: "external_id final_decision tags trace_id traceparent",
        _C: "intake_digest domain language",
    },
    "cases.CaseEvent": {_C: "subject data note_digest request_id"},
    "cases.ChangeAnswer": {_O: "reason", _C: "request_ref"},
    "cases.ChangeRequest": {_O: "subject document differences reason", _C: "kind right request_id"},
    "cases.Content": {Fate.EMPTIED: "body salt customer_key search_text search"},
    "cases.CustomerNotice": {_C: "key last_error"},
    "cases.CustomerNoticeSettings": {_O: "sms_url"},
    "cases.CustomerOptOut": {_C: "customer_key"},  # Kept after an erasure: who wanted no notices gets none later.
    "cases.CustomerTemplate": {_C: "domain locale", _O: "subject text text_without_answer"},
    "cases.DataView": {_C: "request_id"},
    "cases.Delivery": {_C: "last_error"},
    "cases.Denial": {_C: "permission subject request_id"},
    "cases.Draft": {
        Fate.CALLERS: "model_decision",
        _C: "signals contributions evaluations triggers reason conditions content_digest",
    },
    "cases.ErasureReceipt": {_C: "subject counts to_act_on request_id", _O: "reason"},
    "cases.EvaluationCount": {_C: "signal"},
    "cases.HeadReceipt": {_C: "detail"},
    "cases.Heartbeat": {_C: "name detail"},
    "cases.IdempotencyKey": {Fate.EXPIRES: "key method_path body", _C: "body_digest"},
    "cases.InterimTemplate": {_C: "domain locale", _O: "text"},
    "cases.LegalHold": {_C: "customer_key", _O: "reason"},
    "cases.Membership": {_C: "roles"},
    "cases.Notice": {_C: "kind subject text path key last_error"},
    "cases.NoticeChannel": {_P: "name email url", _C: "hears"},
    "cases.Policy": {
        _C: "domain signals known_domains known_languages high_stakes_domains high_stakes_risks risk_floor learned",
        _O: "decision_options reason_codes",
    },
    "cases.PolicyVersion": {_O: "document reason"},
    "cases.RecallRun": {_C: "domain", _O: "reason"},
    "cases.Release": {_C: "model version prompt_version retrieval_version"},
    "cases.ResumeRequest": {_C: "domain action", _O: "reason"},
    "cases.RuleFailure": {_C: "condition cause"},
    "cases.SavedFilter": {_C: "list_name", _O: "name query"},
    "cases.Seal": {_C: "header digest previous contents key_id signature"},
    "cases.SealShape": {_C: "digest table columns"},
    "cases.SealVerification": {_C: "findings"},
    "cases.SealedTable": {_C: "table digests keys"},
    "cases.SelfTest": {_C: "finding"},
    "cases.Tenant": {_C: "slug time_zone fallback_language four_eyes second_factor_roles", _O: "name"},
    "cases.TriggerCondition": {_O: "name expression"},
    "cases.User": {_P: "password username first_name last_name email oidc_subject"},
    "cases.WebhookEndpoint": {_O: "url description", _C: "secret previous_secret kinds"},
    "queues.Aside": {_C: "reason_digest"},
    "queues.BusinessCalendar": {_O: "name", _C: "time_zone hours country subdivision closed open_anyway"},
    "queues.Entry": {_C: "queue_reason language excluded pause_reason passed_by ranked_at"},
    "queues.Passage": {_C: "end"},
    "queues.Queue": {_O: "name", _C: "slug domains languages risks routes authority_code"},
    "queues.QuorumRule": {_O: "name"},
    "queues.Reviewer": {_P: "languages own_hours"},
    "queues.Skill": {_O: "name", _C: "code"},
    "queues.SlaPolicy": {_O: "name"},
    "approvals.ActionJob": {_C: "waits_for"},
    "approvals.ActionPreview": {_C: "payload_hash content_digest"},
    "approvals.ActionRevision": {_C: "content_digest"},
    "approvals.ActionType": {_O: "title schema executor", _C: "name executor_secret executor_previous_secret"},
    "approvals.ActionTypeVersion": {_O: "executor rules"},
    "approvals.ActionVote": {_C: "payload_hash reason_digest"},
    "approvals.ApprovalAuthority": {_O: "name", _C: "code currency"},
    "approvals.AuthorityGrant": {_O: "reason"},
    "approvals.Execution": {_C: "payload_hash"},
    "approvals.ExecutionResult": {_C: "state content_digest"},
    "approvals.ImpactRule": {_O: "condition", _C: "authority_code"},
    "approvals.ProposedAction": {_C: "name currency authority_code payload_hash problem"},
    "feedback.Challenge": {
        Fate.EMPTIED: "body slots must_contain must_not_contain right_answer",
        Fate.DISGUISED: "title explanation",
        _C: "domain right_verdicts right_decision",
    },
    "feedback.ChallengePlan": {_C: "domain"},
    "feedback.ChallengeResult": {Fate.DISGUISED: "why"},
    "feedback.Dataset": {_O: "name"},
    "feedback.DatasetVersion": {_C: "manifest manifest_sha256"},
    "feedback.DriftAlert": {_C: "report"},
    "feedback.DriftLook": {_C: "report"},
    "feedback.EvidencePack": {_C: "seed zone sampled rights error file_key file_name sha256"},
    "feedback.Export": {_C: "format filters watermark checkpoint error file_key file_name"},
    "feedback.FirstOpinion": {Fate.CALLERS: "decision", _C: "content_digest"},
    "feedback.LearnedWeights": {_C: "weights hand_set trial"},
    "feedback.MetricDay": {_C: "dimension domain key handling_values handling_counts opened_by_hour"},
    "feedback.MetricHour": {_C: "dimension domain key handling_values"},
    "feedback.MetricState": {_C: "time_zone"},
    "feedback.PlantedChallenge": {Fate.DISGUISED: "expected"},
    "feedback.Poll": {_C: "why"},
    "feedback.Push": {_C: "last_error"},
    "feedback.PushTarget": {_O: "name url", _C: "public_key secret"},
    "feedback.Review": {_C: "final_decision reason_code displayed_digest content_digest"},
    "feedback.RouteQuality": {_C: "domain"},
    "feedback.ShadowPolicy": {_O: "name document", _C: "release_model release_version"},
    "feedback.ShadowVerdict": {_C: "triggers conditions"},
    "feedback.TextSnippet": {_O: "text", _C: "key domain locale"},
    "feedback.ThresholdEvidence": {_C: "report"},
    "feedback.TrainingAlert": {_O: "note"},
    "feedback.WeeklyExport": {_C: "watermark counts files"},
}


def fate_of(model: str, column: str) -> Fate | None:
    """What becomes of ``column``, or None where nobody has decided."""
    for fate, names in FATES.get(model, {}).items():
        if column in names.split():
            return fate
    return None
