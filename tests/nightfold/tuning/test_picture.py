"""The picture of a search."""

from xml.etree import ElementTree

from nightfold.models.contract import ModelSpec
from nightfold.tuning.picture import tuning_picture
from nightfold.tuning.search import Search
from nightfold.tuning.trial import Outcome, Trial


def test_a_picture_shows_every_trial_the_best_so_far_and_whether_the_market_is_simulated() -> None:
    trials = tuple(
        Trial(number, ModelSpec(), state, 0, Outcome(loss, {"log_loss": loss}, 10, None, []))  # type: ignore[arg-type]
        for number, (state, loss) in enumerate(
            [("complete", 1.05), ("pruned", 1.2), ("complete", 1.07), ("complete", 1.01), ("pruned", 1.3)]
        )
    )
    drawn = tuning_picture({"lightgbm": Search("s", "log_loss", trials, trials[3])}, "e, 1 May", is_simulated=True)
    root = ElementTree.fromstring(drawn)
    words = [element.text for element in root.iter() if element.text]
    assert "lightgbm: log loss, by trial" in words
    assert "simulated market" in words
    dots = [path.get("d", "").count("h0") for path in root.iter("{http://www.w3.org/2000/svg}path")]
    assert sorted(count for count in dots if count) == [2, 3]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 1
    assert "simulated" not in tuning_picture(
        {"m": Search("s", "log_loss", trials[:1], trials[0])}, "e", is_simulated=False
    )
