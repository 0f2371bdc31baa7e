"""Progress of long runs."""

import logging

import pytest

from resources.progress import PROGRESS, report


def test_progress_is_a_log_record_of_its_own_logger(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, PROGRESS.name):
        report("bars", "2024-01-01", "BTCUSDT", "8928 rows")
    assert [(r.name, r.getMessage()) for r in caplog.records] == [
        ("nightfold.progress", "bars 2024-01-01 BTCUSDT 8928 rows")
    ]
