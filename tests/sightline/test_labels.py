"""Zero-shot labels: the model's own arithmetic, right on pictures it never saw, honest about what is none of them."""

from __future__ import annotations

from pathlib import Path

import indexing
import models
import numpy as np
import pytest
import torch

from indexer.demo.pictures import write_pictures
from indexer.demo.world import KINDS
from sightline.labels import MAX_LABELS, MAX_TEMPLATES, Labelled, class_vectors, label, probabilities, split_labels
from sightline.models.encoder import Encoder
from sightline.models.interface import Head
from sightline.models.loaded import Encoders
from sightline.models.resolve import resolve
from sightline.query.types import QueryError
from sightline.searcher import Searcher
from store.errors import SpaceError
from store.library import Library
from store.tables.catalog import SpaceState
from store.tables.filters import Folder
from training.evaluate import HELD_OUT_SEED

WORDS = {kind.name: kind.words[0][0] for kind in KINDS}


def pixels(encoder: Encoder, count: int) -> torch.Tensor:
    """Pictures of noise, uint8 (count, 3, height, width)."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, *encoder.preprocess.size), dtype=torch.uint8, generator=generator)


def logits(encoder: Encoder, images: torch.Tensor, texts: list[str]) -> torch.Tensor:
    """What open_clip's own forward pass says: (images, texts)."""
    import open_clip

    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (encoder.preprocess.mean, encoder.preprocess.std))
    tokens = open_clip.get_tokenizer(f"local-dir:{encoder.model.folder}")(texts)
    with torch.inference_mode():
        made: tuple[torch.Tensor, ...] = encoder.module.get_logits((images / 255 - mean) / std, tokens)  # type: ignore[operator]
    return made[0]


# -- the model's own arithmetic -------------------------------------------------------------------------------------


def test_a_clip_model_gives_the_softmax_of_its_own_logits(tmp_path: Path) -> None:
    encoder = Encoder(resolve(models.clip_like(tmp_path)), device="cpu", precision="fp32")
    images, texts = pixels(encoder, 5), ["a photo of a cat", "a photo of a dog", "a photo of two boats"]
    assert encoder.head is not None
    assert encoder.head.bias is None

    cosines = class_vectors(encoder, texts, ["{}"]) @ encoder.encode_images(images).T
    found = probabilities(cosines, encoder.head)
    np.testing.assert_allclose(found, logits(encoder, images, texts).softmax(dim=1).T, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)


def test_a_siglip_model_gives_the_sigmoid_of_its_own_logits(tmp_path: Path) -> None:
    encoder = Encoder(resolve(models.siglip_like(tmp_path)), device="cpu", precision="fp32")
    images, texts = pixels(encoder, 5), ["a photo of a cat", "a green tree on a hill", "two red boats at sunset"]
    assert encoder.head is not None
    assert encoder.head == Head(encoder.head.scale, -10)
    assert encoder.head.scale == pytest.approx(1 / 0.07, rel=1e-5)
    cosines = class_vectors(encoder, texts, ["{}"]) @ encoder.encode_images(images).T
    wanted = logits(encoder, images, texts).sigmoid().T
    np.testing.assert_allclose(probabilities(cosines, encoder.head), wanted, rtol=1e-4)
    assert (probabilities(cosines, Head(1e5, -20)) <= 1).all()


@pytest.mark.parametrize("bias", [None, -20.0])
def test_none_of_these_wins_where_the_best_label_lies_below_its_own_threshold(bias: float | None) -> None:
    cosines = np.asarray([[0.3, 0.1, 0.19], [0.25, -1.0, 0.1], [0.1, 0.1, 0.21]], np.float32)
    thresholds = np.asarray([0.15, 0.1, 0.2], np.float32)
    found = probabilities(cosines, Head(100, bias), thresholds)
    assert found.argmax(axis=0).tolist() == [0, 3, 2]
    assert np.isfinite(found).all()
    low = probabilities(cosines, Head(100, bias), np.asarray([0.31, 0.1, 0.22], np.float32))
    assert low.argmax(axis=0).tolist() == [3, 3, 3]


def test_the_scale_is_the_models_own_whatever_the_precision_of_its_weights(tmp_path: Path) -> None:
    model = resolve(models.clip_like(tmp_path))
    whole = Encoder(model, device="cpu", precision="fp32").head
    assert whole == Encoder(model, device="cpu", precision="bf16").head
    assert whole is not None
    assert whole == Head(whole.scale, None)
    assert whole.scale == pytest.approx(1 / 0.07, rel=1e-5)
    assert Encoder(resolve(models.picture_only(tmp_path / "pictures")), device="cpu").head is None


def test_a_class_is_the_unit_mean_of_its_templates(tmp_path: Path) -> None:
    encoder = Encoder(resolve(models.clip_like(tmp_path)), device="cpu", precision="fp32")
    found = class_vectors(encoder, ["{cat}"] * 200, ["a photo of a {}", "a {} {}!"])
    mean = encoder.encode_texts(["a photo of a {cat}", "a {cat} {cat}!"]).mean(axis=0)
    assert found.shape == (200, 32)
    np.testing.assert_allclose(found, np.broadcast_to(mean / np.linalg.norm(mean), found.shape), atol=1e-5)


# -- pictures that the demo model never saw -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> tuple[Searcher, dict[str, str]]:
    """A library of 100 held-out pictures, and the kind that each shows, by its path."""
    folder = tmp_path_factory.mktemp("held-out")
    pictures = write_pictures(folder / "pictures", 100, HELD_OUT_SEED, (320, 240))
    indexing.add(folder / "library", folder / "pictures", "demo")
    searcher = Searcher(Library.open(folder / "library"), Encoders(offline=True))
    return searcher, {picture.path: picture.scene.kind for picture in pictures}


def labelled(searcher: Searcher, kinds: list[str], **options: object) -> list[Labelled]:
    """All pictures, with the words for these kinds as labels."""
    words = [WORDS[kind] for kind in kinds]
    space: SpaceState = searcher.space()
    return list(label(searcher.library, searcher.encoders, space, words, **options))  # type: ignore[arg-type]


def test_held_out_pictures_get_their_label(held_out: tuple[Searcher, dict[str, str]]) -> None:
    searcher, kinds = held_out
    for options in ({"none": False}, {"none": True}, {"templates": ["a photo of {}", "a picture of {}", "{}"]}):
        found = labelled(searcher, list(WORDS), **options)
        assert len(found) == len(kinds) == 100
        right = [picture.best.label == WORDS[kinds[picture.photo.display]] for picture in found]
        assert np.mean(right) >= 0.9, options


def test_pictures_of_other_kinds_are_none_of_these(held_out: tuple[Searcher, dict[str, str]]) -> None:
    searcher, kinds = held_out
    right_inside, right_outside = [], []
    for first in range(0, len(WORDS), 5):
        given = list(WORDS)[first : first + 5]
        for picture in labelled(searcher, given):
            kind = kinds[picture.photo.display]
            if kind in given:
                right_inside.append(picture.best.label == WORDS[kind])
            else:
                right_outside.append(picture.best.label is None)
    assert np.mean(right_inside) >= 0.9
    assert np.mean(right_outside) >= 0.9
    assert all(picture.best.label is not None for picture in labelled(searcher, ["cat", "car"], none=False))


def test_labels_come_best_first_with_probabilities_that_sum_to_one(held_out: tuple[Searcher, dict[str, str]]) -> None:
    searcher, _ = held_out
    for picture in labelled(searcher, ["cat", "car", "tent"], top=10):
        values = [guess.probability for guess in picture.guesses]
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(1, abs=1e-5)
        assert {guess.label for guess in picture.guesses} == {"cat", "car", "tent", None}
    one = labelled(searcher, ["cat"], none=False)
    assert [picture.best.probability for picture in one] == [1.0] * 100


def test_only_pictures_that_pass_the_filters_are_labelled(held_out: tuple[Searcher, dict[str, str]]) -> None:
    searcher, kinds = held_out
    folder = next(iter(kinds)).split("/")[0]
    found = labelled(searcher, ["cat", "car"], filters=[Folder((folder,))])
    assert sorted(p.photo.display for p in found) == sorted(p for p in kinds if p.startswith(f"{folder}/"))
    assert labelled(searcher, ["cat"], filters=[Folder(("nowhere",))]) == []


def test_missing_photos_get_no_label(tmp_path: Path, photos: Path, tiny_space: str) -> None:
    indexing.add(tmp_path / "library", photos, tiny_space)
    gone = next(photos.rglob("*.jpg"))
    gone.unlink()
    indexing.add(tmp_path / "library", photos, tiny_space)
    searcher = Searcher(Library.open(tmp_path / "library"), Encoders(offline=True))
    found = [picture.photo.display for picture in labelled(searcher, ["cat"])]
    assert len(found) == len(set(found)) == len(list(photos.rglob("*.jpg")))
    assert gone.name not in [name.rsplit("/")[-1] for name in found]


# -- what can't be labelled -----------------------------------------------------------------------------------------


def test_labels_are_trimmed() -> None:
    assert split_labels(" cat, hot  air\tballoon ,,dog,") == ["cat", "hot air balloon", "dog"]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("", "no labels"),
        (" , ,", "no labels"),
        ("cat,dog, CAT", "'cat' comes 2 times"),
        ("a,b,c,a,b,a", "'a' comes 3 times, and 1 other"),
        (",".join(map(str, range(MAX_LABELS + 1))), "1,001 labels; the limit is 1,000"),
        ("cat,do\udcffg", r"The label 'do\\udcffg' has half a character"),
    ],
)
def test_labels_that_make_no_sense_say_what_and_how_many(labels: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        split_labels(labels)


@pytest.mark.parametrize(
    ("labels", "options", "said"),
    [
        (["cat"], {"templates": ["a photo"]}, "'a photo' has no {}"),
        (["cat"], {"templates": []}, "0 templates"),
        (["cat"], {"templates": ["{}", "a \ud83d {}"]}, r"The template 'a \\ud83d {}' has half a character"),
        (["cat"], {"templates": ["{}"] * (MAX_TEMPLATES + 1)}, "101 templates; 1 to 100"),
        (["cat"], {"top": 0}, "0 labels a picture"),
        (["cat", "None of these"], {}, "--no-none"),
        (["word " * 40], {}, "tokens"),
    ],
)
def test_what_makes_no_sense_is_said_before_the_first_picture(
    tmp_path: Path, photos: Path, tiny_space: str, labels: list[str], options: dict[str, object], said: str
) -> None:
    indexing.add(tmp_path / "library", photos, tiny_space)
    searcher = Searcher(Library.open(tmp_path / "library"), Encoders(offline=True))
    with pytest.raises((QueryError, SpaceError), match=said):
        label(searcher.library, searcher.encoders, searcher.space(), labels, **options)  # type: ignore[arg-type]


def test_a_space_of_pictures_only_cant_label(tmp_path: Path, photos: Path) -> None:
    indexing.add(tmp_path / "library", photos, models.picture_only(tmp_path / "pictures"))
    searcher = Searcher(Library.open(tmp_path / "library"), Encoders(offline=True))
    with pytest.raises(SpaceError, match="pictures but no words, so it can't label"):
        label(searcher.library, searcher.encoders, searcher.space(), ["cat"])
