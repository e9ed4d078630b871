"""What `--space` may say: a preset, a folder, a repository, a model of open_clip or timm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from sightline.models import hub
from sightline.models.changes import UNCHANGED, Changes, looks_changed, split
from sightline.models.configuration import OPEN_CLIP_CONFIG
from sightline.models.hub import Repository
from sightline.models.presets import DEMO, DEMO_MODEL, EVERYDAY, PRESETS
from sightline.models.weight_files import PICKLES
from store.errors import SpaceError

LOCAL: Final = "local-dir:"
HUB: Final = hub.PREFIX
# Whose repositories of timm's models are known by their names alone.
_TIMM: Final = "timm/"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a model is to be found.

    Attributes:
        spec: the name in full, the same for each way to write it; reading it again gives the same address.
        place: a folder of this disk, or a repository of the hub.
        changes: of the model that is there: what the name says, and its preset where the name says nothing.
    """

    spec: str
    place: Path | Repository
    changes: Changes = UNCHANGED

    @property
    def name(self) -> str:
        """A short name for people: the preset's, or the last part of the spec, never another preset's."""
        base, said = split(self.spec)
        if base in PRESETS:
            return self.spec
        parts = [part for part in base.removeprefix(LOCAL).removeprefix(HUB).split("/") if part]
        if parts and parts[-1] in (".", ".."):
            parts = list(Path(self.place).resolve().parts[1:]) if isinstance(self.place, Path) else parts
        last = parts[-1] if parts else "model"
        is_taken = last in PRESETS or (looks_changed(last) and last.partition(";")[0] in PRESETS)
        return f"{'/'.join(parts[-2:]) if is_taken else last}{said}"

    def plain(self, own: Changes) -> Address:
        """The same model by its shortest name, where `own` is what the model has without changes."""
        base, _ = split(self.spec)
        changes = self.changes.without(own)
        return replace(self, spec=base if changes_of(base).without(own) == changes else self.spec, changes=changes)


def read_name(spec: str) -> Address:
    """Read what `--space` says.

    Raises:
        SpaceError: it names nothing that there is.
    """
    base, said = split(spec.strip())
    address = _unchanged(base)
    return replace(address, spec=f"{address.spec}{said}", changes=changes_of(f"{address.spec}{said}"))


def changes_of(spec: str) -> Changes:
    """The changes that a name asks for, its preset's among them."""
    base, said = split(spec)
    preset = PRESETS.get(base)
    return said if preset is None else said.over(preset.changes)


def _unchanged(spec: str) -> Address:
    """The address of a model whose name has no changes at its end."""
    if spec.startswith(LOCAL):
        written = spec.removeprefix(LOCAL).strip()
        if not written:
            raise SpaceError(f"{LOCAL} names no folder; say {LOCAL}FOLDER with the folder that holds the model.")
        try:
            folder = Path(written).expanduser().absolute()
        except RuntimeError as error:  # "~nobody"
            raise SpaceError(f"{written} is no folder: {error}") from error
        # With a separator behind it, so that the end of its own name is read as no change.
        end = "/" if looks_changed(str(folder)) else ""
        return Address(f"{LOCAL}{folder}{end}", folder)
    if spec.startswith((HUB, _TIMM)):
        repository = hub.parse(spec.removeprefix(HUB))
        return Address(f"{HUB}{repository}", repository)
    if spec == DEMO:
        return Address(spec, DEMO_MODEL)
    if spec in PRESETS:
        return Address(spec, Repository(PRESETS[spec].repository))
    return Address(spec, _of_open_clip(spec))


def _of_open_clip(model: str) -> Repository:
    """The hub repository of an open_clip `model/tag`."""
    if not model:
        raise SpaceError(f"No model was named. {_presets()}.")
    if model.startswith((".", "/", "~")) or model.endswith((".safetensors", *PICKLES)) or Path(model).exists():
        raise SpaceError(
            f"{model!r} is a path. Weights alone do not say how pictures are prepared for them: put them in a folder "
            f"with the model's {OPEN_CLIP_CONFIG} and say --space {LOCAL}FOLDER"
        )
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    name, _, tag = model.partition("/")
    tags = list_pretrained_tags_by_model(name)
    if not tags:
        raise SpaceError(_unknown(model))
    hubs = {each: str(get_pretrained_cfg(name, each).get("hf_hub", "")) for each in tags}
    usable = [each for each in tags if hubs[each].endswith("/")]
    if tag and tag not in tags:
        raise SpaceError(f"open_clip's model {name} has no weights {tag!r}; it has {', '.join(tags)}.")
    if not usable or (tag and tag not in usable):
        raise SpaceError(_unusable(model, hubs[tag or tags[0]].rpartition("/")[2], usable))
    if not tag:
        raise SpaceError(f"{name} is published with several weights; say which, as {name}/TAG: {', '.join(usable)}.")
    return Repository(hubs[tag].rstrip("/"))


def _unusable(model: str, file: str, others: list[str]) -> str:
    """Why weights of open_clip that are published as one `file`, or none that it names, can't be used."""
    how = "by themselves"
    if file.endswith(PICKLES):
        how = f"as {file} only: a pickle, which can run programs when it is opened, and is not opened here, and"
    return (
        f"The weights {model} are published {how} without the model's configuration. Choose "
        f"{'others: ' + ', '.join(others) if others else 'another model'}; or convert them to safetensors where that "
        f"can do no harm, put them in a folder with an {OPEN_CLIP_CONFIG}, and say --space {LOCAL}FOLDER"
    )


def _unknown(model: str) -> str:
    from open_clip import list_models

    name, slash, _ = model.partition("/")
    ways = f"{_presets()}. Others are named MODEL/TAG as open_clip lists them, {LOCAL}FOLDER or {HUB}ORG/NAME."
    if similar := _nearest(name, (*PRESETS, *list_models())):
        return f"There is no model named {model!r}; the nearest names are {', '.join(similar)}. {ways}"
    if slash and hub.repository_named(model):
        return f"There is no model named {model!r}. If it is a repository of the hub, say {HUB}{model}. {ways}"
    if (timm := _of_timm(model)) is not None:
        return f"{model!r} is a model of timm: say {timm}. {ways}"
    return f"There is no model named {model!r}. {ways}"


def _nearest(name: str, known: Sequence[str]) -> list[str]:
    """At most three names that are written alike, else those of the family (`dinov2-small` for `dino2`)."""
    by_name = {each.casefold(): each for each in known}
    families: dict[str, list[str]] = {}
    for each in PRESETS:
        families.setdefault(each.partition("-")[0], []).append(each)
    close = get_close_matches(name.casefold(), by_name, 3, 0.75)
    if close:
        return [by_name[each] for each in close]
    family = get_close_matches(name.casefold(), families, 1, 0.75)
    return families[family[0]][:3] if family else []


def _presets() -> str:
    """The presets that are offered first, and where the others are listed."""
    others = len(PRESETS) - len(EVERYDAY)
    return f"Presets: {', '.join(each.name for each in EVERYDAY)}, and {others} more (python -m indexer spaces --all)"


def _of_timm(model: str) -> str | None:
    """How the weights of a timm model are named here; None where timm does not know it."""
    from timm.models import get_pretrained_cfg

    try:
        known = get_pretrained_cfg(model, allow_unregistered=False)
    except RuntimeError:
        return None
    if known is None or not known.hf_hub_id:
        return None
    name = known.hf_hub_id if not known.hf_hub_id.endswith("/") else f"{known.hf_hub_id}{known.architecture}"
    return name if "." in name or not known.tag else f"{name}.{known.tag}"
