"""What shadow policies cost an intake: none, one, and as many as may run, in turns."""

from collections.abc import Iterator
from functools import partial
from statistics import median

from cases.models.people import system_actor
from cases.services import intake
from cases.wire.intake import parse_intake
from feedback.models import ShadowPolicy
from feedback.services import shadows

from .figures import Figure, ms
from .ground import FEW, Ground
from .load import timed
from .taking_in import payload


def shadows_in_intake(ground: Ground, intakes: int) -> Iterator[Figure]:
    """One intake in process, one by one in turns. Fails where a shadow has left a case out."""
    submit = partial(intake.submit, actor=ground.world.service, tenant=ground.world.tenant)
    counts = (0, 1, shadows.MOST)
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    with ground.on(FEW):
        made = [_shadow(ground, number) for number in range(shadows.MOST)]
        submit(parse_intake(payload()))
        for number in range(intakes):
            for place in range(len(counts)):
                count = counts[(number + place) % len(counts)]  # Whoever is first has the colder caches.
                for which, shadow in enumerate(made):
                    ShadowPolicy.objects.filter(pk=shadow.pk).update(is_active=which < count)
                sent = parse_intake(payload())
                seconds[count].append(timed(partial(submit, sent)))
        verdicts = sum(shadow.verdicts.count() for shadow in made)
        if verdicts != sum(count * intakes for count in counts) + shadows.MOST:
            raise AssertionError("a shadow has left a case out")
        ShadowPolicy.objects.filter(tenant=ground.world.tenant).update(is_active=False)
    base = median(seconds[0])
    yield Figure("one intake, in process, no shadow", intakes, f"p50 {ms(base)}")
    for count in counts[1:]:
        p50 = median(seconds[count])
        words = f"one intake, in process, {count} shadow{'s' * (count > 1)}"
        yield Figure(words, intakes, f"p50 {ms(p50)}", p50 / base, "no shadow")


def _shadow(ground: Ground, number: int) -> ShadowPolicy:
    policy = ground.world.policy
    shadow = ShadowPolicy(
        tenant=ground.world.tenant, policy=policy, name=f"Shadow {number}", document=policy.document()
    )
    return shadows.start(shadow, actor=system_actor(), reason="bench")
