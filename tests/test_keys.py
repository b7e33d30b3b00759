from typing import Annotated, get_type_hints

from brain_cae.keys import Between, OneOf


def choose(share: Annotated[float, Between(0, 1, "a share")], word: Annotated[str, OneOf(("a", "b"))] = "a") -> None:
    """A function whose arguments have bounds."""


def test_bounds_stay_with_the_type_and_leave_it_as_it_is():
    assert get_type_hints(choose) == {"share": float, "word": str, "return": type(None)}
    bounded = get_type_hints(choose, include_extras=True)
    assert bounded["share"].__metadata__ == (Between(0, 1, "a share"),)
    assert bounded["word"].__metadata__[0].advice is None
