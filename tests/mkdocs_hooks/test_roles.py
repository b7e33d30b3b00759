"""Docstrings' roles are not shown."""

from mkdocs_hooks.roles import on_page_content


def test_a_role_leaves_the_name():
    html = "See :func:<code>fit</code>, :class:<code>~brain_cae.Detector</code> and <code>:func:</code>."
    shown = on_page_content(html, page=None, config=None, files=None)  # type: ignore[arg-type]
    assert shown == "See <code>fit</code>, <code>brain_cae.Detector</code> and <code>:func:</code>."
