"""Scripts in percent format become pages."""

import ast

import pytest

from mkdocs_hooks.tutorials import page, scripts

SCRIPT = """# ---
# jupyter: {}
# ---

# %% [markdown]
# # First verdict
#
# Some *words*, and a list:
#
# - one
#   - two

# %%
import brain_cae  # a comment

print("# %% is not a cell here")

# %% tags=["long"]
for name in ("a", "b"):
    print(name)
# %% [markdown]
# ## The end
"""


def test_cells_become_text_and_code_in_order():
    shown = page(SCRIPT, "first_verdict.py")
    assert shown.startswith("# First verdict\n\n[Download this page as a script](first_verdict.py)")
    assert "- one\n  - two" in shown and "jupyter" not in shown
    blocks = shown.split("```")
    assert [block.startswith("python\n") for block in blocks[1::2]] == [True, True]
    assert "a comment" in blocks[1] and "for name in" in blocks[3]
    for block in blocks[1::2]:
        ast.parse(block.removeprefix("python\n"))
    assert blocks[-1].strip() == "## The end"


def test_a_script_without_title_is_an_error_that_names_it():
    with pytest.raises(ValueError, match=r"audit\.py .*title"):
        page("# %%\nprint(1)\n", "audit.py")


def test_tutorials_come_in_the_order_in_which_they_are_to_be_read(tmp_path):
    (tmp_path / "tutorials").mkdir()
    for name in ("another", "audit_a_cohort", "first_verdict"):
        (tmp_path / "tutorials" / f"{name}.py").write_text("")
    assert [path.stem for path in scripts(tmp_path)] == ["first_verdict", "audit_a_cohort", "another"]
    assert scripts(tmp_path / "nowhere") == []
