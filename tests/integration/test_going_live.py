"""Going live: environments that are mixed up hold, and say which setting to correct."""

import pytest

from tests.firing_kit import Bench
from worker.firing.policy import Cause
from worker.states import FiringState


@pytest.mark.parametrize(
    ("host", "credit_order", "words"),
    [
        ("api.sandbox.isometric.com", "ord_1FAN3S3WV1S0B842", "is a production id and the registry is sandbox"),
        ("api.isometric.com", "ord_1FAN3S3WVSBXB842", "is a sandbox id and the registry is production"),
    ],
)
def test_a_link_of_the_other_environment_is_held(bench: Bench, host: str, credit_order: str, words: str) -> None:
    """Nothing is asked and nothing is sent: the sentence names the link and the setting."""
    live = bench.again(host=host)
    live.complete(kg=10, order=credit_order)

    firing = live.advance()

    assert (firing.state, firing.cause) == (FiringState.HELD, Cause.LINK)
    assert words in firing.reason
    assert "correct the link or WAYBILL_ISOMETRIC__BASE_URL" in firing.reason
    assert bench.twin.posts() == 0
