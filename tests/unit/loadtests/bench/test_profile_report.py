"""The CPU that was booked is divided by the samples; an earlier profile stands beside it."""

from collections import Counter
from datetime import UTC, datetime

import orjson
import pytest

from loadtests.bench.measure import Measurement
from loadtests.bench.native import Kind
from loadtests.bench.phases import Phase
from loadtests.bench.profile_report import Profile, profile_document, profile_page
from loadtests.traffic.samples import Figures

FLOW = "take (gateway/payments/flow.py:105)"
SIGN = f"{FLOW};sign_sha256 (routing/channels/rsa.py:54)"


@pytest.fixture
def profile() -> Profile:
    measured = Measurement(Figures(10.0, 1_000, {}, [80.0] * 1_000), {"gateway": 900_000}, 0, {"gateway": 90_000})
    return Profile.of(measured, [880.0, 920.0], [f"{FLOW} 75", f"{SIGN} 25"], Counter({Kind.PYTHON: 3, Kind.KERNEL: 1}))


def test_phases_and_kinds_add_up_to_what_was_booked(profile: Profile) -> None:
    assert profile.us == 900
    assert profile.phases[Phase.SIGN] == 225
    assert sum(profile.phases.values()) == pytest.approx(900)
    assert profile.kinds == {Kind.PYTHON: 675, Kind.KERNEL: 225}


def test_the_noise_of_a_phase_is_that_of_counting_its_samples(profile: Profile) -> None:
    assert profile.noise[Phase.SIGN] == pytest.approx(900 * 5 / 100)
    assert profile.spread_us == 40


def test_user_and_system_are_told_apart(profile: Profile) -> None:
    document = profile_document({"everything": profile}, {}, datetime.now(UTC))
    assert orjson.loads(orjson.dumps(document))["profiles"]["everything"]["system_us"] == 90
    assert document["profiles"]["everything"]["user_us"] == 810


def test_the_picture_has_a_bar_for_each_kind_and_one_for_the_earlier_profile(profile: Profile) -> None:
    document = profile_document({"everything": profile}, {}, datetime.now(UTC))
    page = profile_page(document, None)
    assert page.count("<title>sign: 225 µs (25.0 %)</title>") == 1
    assert "before" not in page
    both = profile_page(document, document)
    assert both.count("<title>sign: 225 µs (25.0 %)</title>") == 2
    assert "everything, before" in both
    assert "http://" not in both.replace("http://www.w3.org/2000/svg", ""), "nothing is fetched"
