"""The `DeadLetters` ability as tests; one module for each kind of fact."""

from __future__ import annotations

from ltq_core.testing.dead_letters.burying import BuryingFacts
from ltq_core.testing.dead_letters.finding import FindingFacts
from ltq_core.testing.dead_letters.keeping import KeepingFacts
from ltq_core.testing.dead_letters.requeueing import RequeueingFacts
from ltq_core.testing.walks.facts import LetterWalks


class DeadLettersConformance(
    LetterWalks, KeepingFacts, BuryingFacts, FindingFacts, RequeueingFacts
):
    """What is given up is kept, and can be put back, once."""
