"""Which steps there are, and how often one is gone beside the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ltq_core.testing.walks import (
    consuming,
    keys,
    letters,
    looks,
    pauses,
    publishing,
    settling,
    ticks,
)
from ltq_core.testing.walks.consuming import woken_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ltq_core.testing.walks.walk import Step

    Steps = Mapping[Step, int]

CALLS: Steps = {
    publishing.publish: 8,
    publishing.publish_many: 4,
    publishing.publish_burst: 2,
    publishing.publish_again: 4,
    publishing.publish_no_json: 1,
    consuming.consume: 10,
    consuming.consume_many: 8,
    consuming.consume_and_be_cancelled: 2,
    woken_by(publishing.publish): 1,
    woken_by(publishing.publish_many): 1,
    woken_by(settling.nack_one): 1,
    consuming.let_time_pass: 1,
    settling.work: 3,
    settling.ack: 3,
    settling.ack_many: 3,
    settling.nack: 6,
    settling.nack_no_json: 1,
    settling.drop: 2,
    settling.settle_again: 4,
    settling.publish_what_runs: 2,
    settling.nack_what_was_published: 1,
    settling.clear: 1,
    settling.close: 2,
}
"""What every broker can do."""

LETTERS: Steps = {
    letters.bury: 8,
    letters.bury_no_json: 1,
    letters.bury_again: 3,
    letters.dead_letters: 5,
    letters.requeue_dead: 4,
    letters.delete_dead: 2,
    woken_by(letters.requeue_dead): 1,
}
"""What is done with dead letters."""

KEYS: Steps = {
    keys.publish_unique: 20,
    keys.publish_holder_again: 3,
    keys.publish_stray: 2,
    keys.publish_unique_no_json: 2,
    woken_by(keys.publish_unique): 2,
}
"""What is done with unique keys."""

TICKS: Steps = {
    ticks.publish_tick: 15,
    ticks.publish_tick_no_json: 2,
    ticks.last_tick: 5,
    ticks.ask_time: 2,
    woken_by(ticks.publish_tick): 2,
}
"""What is done with ticks."""

LOOKS: Steps = {looks.queues: 5, looks.stats: 12, looks.peek: 10}
"""What is looked at."""

PAUSES: Steps = {pauses.pause: 6, pauses.resume: 5, pauses.paused: 4}
"""What is done with pauses."""

EMPTYING: Steps = {settling.close: 4, settling.drop: 4, settling.clear: 4}
"""What is done more often where little is to be left."""
