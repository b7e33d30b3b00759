"""Images of brains: common colour scale, limited size, captions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from brain_cae.reporting import pictures


def test_views_are_separated_by_label(make_content):
    gallery = pictures.gallery(make_content(views=3))
    assert [picture.subject for picture in gallery.suspects] == ["00096", "00098"]
    assert [picture.subject for picture in gallery.healthy] == ["00097"]
    assert gallery.suspects[0].score == "5.31"
    assert gallery.suspects[0].remark == "the maximum lies inside the lesion"
    assert gallery.healthy[0].remark == ""


def test_a_maximum_outside_the_lesion_is_reported(make_content, make_view):
    view = make_view()
    elsewhere = view.anomaly_map.copy()
    elsewhere[2, 2, 2] = 99
    content = dataclasses.replace(make_content(views=0), views=[dataclasses.replace(view, anomaly_map=elsewhere)])
    gallery = pictures.gallery(content)
    assert gallery.suspects[0].remark == "the maximum lies outside the lesion"


def test_images_are_reduced_to_the_size_limit(make_content, monkeypatch):
    content = make_content(views=1)
    full = len(pictures.gallery(content).suspects[0].chart.uri)
    monkeypatch.setattr(pictures, "BUDGET", full // 2)
    assert len(pictures.gallery(content).suspects[0].chart.uri) <= full // 2


def test_all_maps_share_one_scale(make_view):
    low, high = make_view(), make_view()
    high = dataclasses.replace(high, anomaly_map=high.anomaly_map * 3)
    top = pictures.upper_limit([low, high], None)
    assert pictures.upper_limit([low], None) < top < high.anomaly_map.max()
    assert pictures.upper_limit([low], 50.0) == 100.0


def test_colours_are_transparent_at_zero_and_opaque_from_the_threshold():
    colours = pictures.map_colours(8.0, 2.0)
    assert colours(0.0)[3] == 0
    assert colours(0.26)[3] == pytest.approx(colours(1.0)[3])


def test_the_scale_has_a_threshold_only_if_all_maps_do(make_content, monkeypatch):
    marked = []
    monkeypatch.setattr(pictures, "_scale", lambda top, threshold: marked.append(threshold))
    pictures.gallery(make_content(views=1))
    # Brains of a nested evaluation were scored by models with thresholds of their own.
    pictures.gallery(make_content(views=1, voxel_threshold=None))
    assert marked == [2.6, None]


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_an_empty_map_is_drawn(fill, make_content, make_view):
    view = dataclasses.replace(make_view(), anomaly_map=np.full((36, 44, 30), fill), p_value=None, flagged=None)
    picture = pictures.gallery(dataclasses.replace(make_content(views=0), views=[view])).suspects[0]
    assert (picture.p_value, picture.flagged) == ("not defined", "")
