"""What several independent reviews of one draft amount to. Pure.

The rule. ``required`` people are asked, one after another; more than half of them have to say the same, and as soon as
they do, nobody else is asked. Of an even number one more is asked where they split (a third after two). Where no
majority can come about any more, the question goes to an adjudicator, who sees all sides and says why.

Saying the same is the verdict with its final decision. Where a majority agrees to edit, and more than half of
``required`` have not written the same text, the disagreement is about the text: the adjudicator picks one, merges them
or writes another. Spaces and line ends do not make texts differ.

Whose votes count. A vote is given by somebody who was entitled to give it then, and it stands when they later go on
leave, off shift, are paused, lose the role or leave the tenant: what they saw has not changed. Who is removed while
they hold the case can no longer send a vote, and the case goes to the next person. A vote stops counting only when its
writer takes it back within the undo window, or when a supervisor of the queue strikes it for cause, with a reason,
while the question is open; in both cases it stays on record, and after a strike its writer gets no second one. A new
draft is a new question.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import TextChoices


class Standing(TextChoices):
    OPEN = "open", "More votes are needed"
    SPLIT = "split", "No majority: waits for an adjudicator"
    TEXT = "text", "Agreed, but not on the text: waits for an adjudicator"
    DECIDED = "decided", "Decided by a majority"
    ADJUDICATED = "adjudicated", "Decided by an adjudicator"
    ABANDONED = "abandoned", "Ended without a decision"


WAITS_FOR_ADJUDICATOR = (Standing.SPLIT, Standing.TEXT)


@dataclass(frozen=True)
class Voice:
    """What one review says: verdict, final decision, and the text of an edit."""

    verdict: str
    final_decision: str = ""
    text: str = ""

    @property
    def position(self) -> tuple[str, str]:
        return self.verdict, self.final_decision

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def needed(required: int) -> int:
    """How many have to agree: more than half of those who are asked."""
    return required // 2 + 1


def most(required: int) -> int:
    """How many are asked at the most: the next odd number."""
    return 2 * needed(required) - 1


def tally(voices: Sequence[Voice], required: int) -> Standing:
    """Where the question stands after ``voices``."""
    if not voices:
        return Standing.OPEN
    position, agreeing = Counter(voice.position for voice in voices).most_common(1)[0]
    if agreeing >= needed(required):
        texts = Counter(voice.words for voice in voices if voice.position == position)
        return Standing.DECIDED if texts.most_common(1)[0][1] >= needed(required) else Standing.TEXT
    still_asked = max(0, most(required) - len(voices))
    return Standing.OPEN if agreeing + still_asked >= needed(required) else Standing.SPLIT
