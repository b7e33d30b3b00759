"""Pictures are connected to their volumes; without a viewer they stay pictures."""

from brain_cae.reporting import niivue, pictures, viewer


def test_each_picture_names_its_volumes_and_page(make_content):
    content = make_content(views=2, pages={"00096": "patients/00096.html"}, voxel_rates=[(2.0, 0.01)])
    gallery, brains = viewer.interactive(content, pictures.gallery(content))
    (suspect,), (healthy,) = gallery.suspects, gallery.healthy
    assert {brain.id for brain in brains} == {suspect.volumes, healthy.volumes} and len(brains) == 2
    assert suspect.page == "patients/00096.html" and healthy.page == ""
    assert brains[0].data["rates"] == [[2.0, 0.01]]


def test_without_a_viewer_there_are_pictures_only(make_content, monkeypatch):
    monkeypatch.setattr(niivue, "bundle", lambda: "")
    content = make_content(views=1)
    gallery = pictures.gallery(content)
    assert viewer.interactive(content, gallery) == (gallery, [])
