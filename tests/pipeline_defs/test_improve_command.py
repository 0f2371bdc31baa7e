"""`nightfold sweep` and `nightfold improve`: what they refuse before anything is made."""

import pytest

from nightfold.errors import ConfigError
from pipeline_defs import improving

pytestmark = pytest.mark.xdist_group("line")


@pytest.fixture(scope="module")
def ours(deploy):
    """Nothing made yet; traded from 2024-02-12, with bars up to the end of that month."""
    return deploy()


def said(nightfold, *words):
    code, text = nightfold(*words)
    return code, " ".join(text.split())


def test_an_end_that_leaves_no_room_names_itself_and_the_days_it_can_be(ours, nightfold):
    """7 days to search on and 7 held out, from 12 February on: the 25th is the first day they can end on."""
    for end in ("2020-01", "2024-02-24"):
        code, text = said(nightfold, ours, "improve", "pooled_one", "--end", end, "--holdout-days", "7")
        assert code == 1
        assert f"`end` is {end}; pooled_one is traded from 2024-02-12" in text
        assert "end from 2024-02-25 to 2024-02-29" in text


@pytest.mark.parametrize("end", [[], ["--end", "2020-01"]])
def test_held_out_days_that_the_whole_range_has_no_room_for_are_named_whatever_the_end(ours, nightfold, end):
    code, text = said(nightfold, ours, "improve", "pooled_one", *end)
    assert code == 1
    assert "`holdout_days` is 90; 2024-02-12 to 2024-03-01 has 18 days" in text


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_sweep_refuses_an_output_that_it_does_not_know_before_it_makes_anything(ours, nightfold, dry):
    code, text = said(nightfold, ours, "sweep", "pooled_one", "--set", "seed=1,2", *dry, "--output", "xml")
    assert (code, text) == (1, "error: `output` is 'xml'; it must be table, csv or json.")


@pytest.mark.parametrize(
    ("end", "until", "over"), [("2024-02-25", "2024-02-19", "2024-02-26"), ("2030", "2024-02-23", "2024-03-01")]
)
def test_a_search_ends_where_it_was_asked_to_or_where_the_bars_do(ours, monkeypatch, end, until, over):
    asked = []

    def stop(workshop, base, space, stretch, *rest, **more):
        asked.append((f"{stretch.until:%Y-%m-%d}", f"{stretch.end:%Y-%m-%d}"))
        raise ConfigError("enough was seen")

    monkeypatch.setattr(improving, "search", stop)
    with ours.workshop() as workshop:
        monkeypatch.setattr(type(workshop), "catch_up", lambda self: None)
        with pytest.raises(ConfigError, match="enough was seen"):
            improving.improve(workshop, improving.Request("pooled_one", holdout_days=7, end=end))
    assert asked == [(until, over)]
