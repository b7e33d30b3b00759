"""What the series of an examination tell about each other."""

from dataclasses import replace

from brain_cae.scans.contrast_rules import Physics, contrast_of
from brain_cae.scans.examination import AFTER_ANOTHER, AGENT_IN_ALL, ONE_INVERSION, Beside, settled

SE, SEIR = ("SE",), ("SE", "IR")


def test_a_computed_image_is_a_doubt_and_no_t1_beside_which_another_is_after_contrast_agent():
    facts = {"tr": 500, "te": 12, "flip": 90, "codes": SE}
    subtraction, after = Physics(**facts, hints=("t1", "computed")), Physics(**facts, hints=("t1", "ce"))
    assert contrast_of(subtraction).name == "t1" and "a computed image" in contrast_of(subtraction).doubt
    assert contrast_of(Physics(**facts, agent=True, hints=("t1", "computed"))).name == "t1ce"
    assert [one.name for one in settled([contrast_of(subtraction), contrast_of(after)])] == ["t1", "t1"]


def test_of_two_t1_with_an_agent_in_the_header_the_description_tells_which_was_before():
    facts = {"tr": 500, "te": 12, "flip": 90, "codes": SE, "agent": True}
    before, after = (Physics(**facts, hints=hints) for hints in (("t1", "native"), ("t1", "ce")))
    both = settled([contrast_of(before), contrast_of(after)])
    assert [one.name for one in both] == ["t1", "t1ce"] and both[0].doubt and not both[1].doubt
    (alone,) = settled([contrast_of(before)])
    assert alone.name == "t1ce" and "its description none" in alone.doubt
    assert contrast_of(Physics(**(facts | {"agent": False}), hints=("t1", "native"))).doubt == ""


def test_a_t1_that_follows_a_series_after_contrast_agent_is_one_too():
    t1, ep = Physics(tr=500, te=12, flip=90, codes=SE), Physics(tr=1500, te=30, codes=("EP", "GR"), agent=True)
    contrasts = [contrast_of(one) for one in (t1, ep, t1, t1)]
    beside = [Beside(number=2), Beside(agent=True, number=6), Beside(number=9), Beside(number=201, derived=True)]
    found = settled(contrasts, beside)
    assert [one.name for one in found] == ["t1", "echo-planar image", "t1ce", "t1"]
    assert [one.doubt for one in found] == ["", "", AFTER_ANOTHER, AFTER_ANOTHER]
    # So does one that is named as before the agent, whatever its number.
    named = [one._replace(native=one.number == 9) for one in beside]
    assert [one.doubt for one in settled(contrasts, named)] == ["", "", "", AFTER_ANOTHER]
    # The second part of an examination counts its series anew.
    parts = [one._replace(study="b" if one.agent else "a") for one in beside]
    assert [one.doubt for one in settled(contrasts, parts)] == [""] * 4
    # Without an earlier one it stays a T1, and without numbers nothing is known.
    assert [one.name for one in settled(contrasts[1:3], beside[1:3])] == ["echo-planar image", "t1"]
    assert settled(contrasts, [Beside(agent=one.agent) for one in beside]) == contrasts


def test_of_two_flair_the_one_before_contrast_agent_leaves_no_doubt():
    facts = {"tr": 9000, "te": 90, "ti": 2500, "flip": 150, "codes": SEIR}
    flair, t1ce = Physics(**facts), Physics(tr=500, te=12, flip=90, codes=SE, agent=True)
    contrasts = [contrast_of(one) for one in (flair, t1ce, flair)]
    found = settled(contrasts, [Beside(number=2), Beside(agent=True, number=3), Beside(number=4)])
    assert [one.doubt for one in found] == ["", "", AFTER_ANOTHER]
    assert "contrast agent" in contrast_of(Physics(**facts, hints=("flair", "ce"))).doubt
    assert contrast_of(Physics(tr=5000, te=95, codes=SE, hints=("t2", "ce"))).doubt


def test_a_reformatted_t1_does_not_show_that_another_is_after_contrast_agent():
    after, reformatted = (Physics(tr=500, te=12, flip=90, codes=SE, hints=hints) for hints in (("t1", "ce"), ()))
    contrasts = [contrast_of(one) for one in (after, reformatted)]
    found = settled(contrasts, [Beside(number=8), Beside(number=801, derived=True)])
    assert [one.name for one in found] == ["t1", "t1"] and all(one.doubt for one in found)


def test_of_two_t1_the_description_tells_which_is_after_contrast_agent():
    plain = Physics(tr=500, te=12, flip=90, codes=SE, hints=("t1",))
    after = Physics(tr=500, te=12, flip=90, codes=SE, hints=("t1", "ce"))
    both = settled([contrast_of(plain), contrast_of(after)])
    assert [one.name for one in both] == ["t1", "t1ce"] and both[1].doubt and not both[0].doubt
    assert [one.name for one in settled([contrast_of(after)])] == ["t1"]
    assert [one.name for one in settled([contrast_of(after), contrast_of(after)])] == ["t1", "t1"]


def test_an_agent_in_all_headers_of_an_examination_says_nothing_of_its_first_t1():
    t1, flair = Physics(tr=500, te=12, flip=90, codes=SE, agent=True), Physics(tr=9000, te=90, ti=2500, codes=SEIR)
    contrasts = [contrast_of(one) for one in (t1, replace(flair, agent=True), t1)]
    beside = [Beside(agent=True, number=number) for number in (2, 3, 7)]
    found = settled(contrasts, beside)
    assert [one.name for one in found] == ["t1", "flair", "t1ce"]
    assert [one.doubt for one in found] == [AGENT_IN_ALL, "", ""]
    # One without it shows that the others are after it, as do two T1 in a row, also before other contrasts.
    assert settled([contrast_of(flair), *contrasts], [Beside(number=1), *beside])[1].name == "t1ce"
    in_a_row = [one._replace(number=number) for one, number in zip(beside, (2, 9, 3), strict=True)]
    assert [one.name for one in settled(contrasts, in_a_row)] == ["t1ce", "flair", "t1ce"]
    # A reformatted one was not acquired.
    assert settled([contrast_of(flair), *contrasts], [Beside(number=1, derived=True), *beside])[1].name == "t1"


def test_an_inverted_t1_with_a_long_tr_is_one_unless_the_others_of_an_mp2rage_are_there():
    times = {"tr": 5000, "te": 3, "flip": 5, "codes": ("GR", "IR"), "three_d": True}
    first, second = (contrast_of(Physics(**times, ti=ti)) for ti in (800, 2500))
    uniform = contrast_of(Physics(**times, hints=("uniform",)))
    (alone,) = settled([first])
    assert (alone.name, alone.doubt) == ("t1", ONE_INVERSION)
    assert settled([first], [Beside(agent=True)])[0].name == "t1ce"
    named = contrast_of(Physics(**times, ti=800, hints=("t1", "other")))
    assert settled([named]) == [named] and named.name == "first inversion image"
    assert [settled([first, other])[0].name for other in (second, uniform)] == ["first inversion image"] * 2
