"""Libraries say nothing while headers are read, and speak again afterwards."""

import logging
import warnings

import pytest

from brain_cae.scans.silence import LOGGERS, silence


def test_warnings_and_logs_of_the_libraries_are_silenced_until_the_end(caplog, recwarn):
    def speak():
        warnings.warn("Invalid value for VR DA: '19700101x'", stacklevel=1)
        for name in LOGGERS:
            logging.getLogger(name).error("19700101x")

    with pytest.raises(ValueError, match="inside"), silence():
        speak()
        raise ValueError("inside")
    assert not caplog.records and not recwarn.list
    speak()
    assert len(caplog.records) == len(LOGGERS) and len(recwarn.list) == 1
