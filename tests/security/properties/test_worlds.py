"""The random worlds are worth trying: things are seen, things are hidden by scopes, by roles, by consents."""

from __future__ import annotations

from collections import Counter
from random import Random

from tests.security.judge.consents import consented
from tests.security.judge.grants import may_see
from tests.security.properties.worlds import asker, world


def test_worlds_have_what_is_seen_and_what_is_hidden_for_each_reason() -> None:
    counted: Counter[str] = Counter()
    for seed in range(20):
        random = Random(seed)
        resources = world(random, "w")
        one = asker(random, resources, "w")
        for key in resources:
            seen = may_see(one, key, resources)
            agreed = consented(one, key, resources)
            counted["seen" if seen and agreed else "by consent" if seen else "by grant"] += 1
    assert min(counted["seen"], counted["by grant"]) > 50
    assert counted["by consent"] > 10
