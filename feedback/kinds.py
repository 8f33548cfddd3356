"""What can be exported, always named as here. Pure."""

from django.db.models import TextChoices


class Kind(TextChoices):
    GOLDEN_EVALS = "golden_evals", "Golden evaluation examples"
    HARD_NEGATIVES = "hard_negatives", "Retrieval hard negatives"
    PROMPT_REGRESSIONS = "prompt_regressions", "Prompt regression tests"
    FINE_TUNING = "fine_tuning", "Fine-tuning candidates"
    PREFERENCE_PAIRS = "preference_pairs", "Preference pairs"
    POLICY_CLASSIFIER = "policy_classifier", "Policy classifier examples"
    OVERRIDES = "overrides", "Overrides"
