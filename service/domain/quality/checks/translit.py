"""A Latin spelling back in Cyrillic, by the commonest of the usual tables; a guess for a dictionary to confirm."""

import re

_SEVERAL = {
    "shch": "щ", "sch": "щ", "zh": "ж", "kh": "х", "ts": "ц", "tc": "ц", "ch": "ч", "sh": "ш", "yu": "ю", "iu": "ю",
    "ju": "ю", "ya": "я", "ia": "я", "ja": "я", "yo": "ё", "jo": "ё", "ye": "е", "je": "е", "iy": "ий", "yy": "ый",
    "ey": "ей", "ay": "ай", "oy": "ой", "uy": "уй",
}  # fmt: skip
_SINGLE = dict(zip("abvgdezijklmnoprstufhcyxwq'", "абвгдезийклмнопрстуфхцыксвкь", strict=False)) | {
    "x": "кс", "w": "в", "q": "к", "'": "ь",
}  # fmt: skip
_UNIT = re.compile("|".join(sorted(_SEVERAL, key=len, reverse=True)) + "|.")


def in_cyrillic(word: str) -> str:
    """The Latin word letter by letter in Cyrillic, in small letters."""
    return "".join(_SEVERAL.get(unit, _SINGLE.get(unit, unit)) for unit in _UNIT.findall(word.lower()))
