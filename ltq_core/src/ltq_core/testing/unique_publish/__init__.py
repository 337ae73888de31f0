"""The `UniquePublish` ability as tests; one module for each kind of fact."""

from __future__ import annotations

from ltq_core.testing.unique_publish.comparing import ComparingFacts
from ltq_core.testing.unique_publish.holding import HoldingFacts
from ltq_core.testing.unique_publish.publishing import PublishingFacts
from ltq_core.testing.unique_publish.releasing import ReleasingFacts
from ltq_core.testing.walks.facts import KeyWalks


class UniquePublishConformance(
    KeyWalks, PublishingFacts, ComparingFacts, HoldingFacts, ReleasingFacts
):
    """A key is held by one message, from its send to its end."""
