"""How names are read before they are compared: keyboard layouts, mixed alphabets, fillers, legal forms."""

import re

from service.domain.customers.names import fold, latin_key

# The Russian letter on the key of each Latin one.
_RUSSIAN_KEYS = str.maketrans("qwertyuiop[]asdfghjkl;'zxcvbnm,.`", "йцукенгшщзхъфывапролджэячсмитьбюё")
_ALIKE = str.maketrans("aeopcxykmthbu", "аеорсхукмтнви")
_CYRILLIC = re.compile("[а-яё]")
_LATIN = re.compile("[a-z]")
_TYPED_LATIN = re.compile(r"[a-z\[\];',.`]{4,}")
_RUSSIAN_ENDING = re.compile(
    "(?:ов|ев|ёв|ин|ын|ский|цкий|ской|ко|ук|юк|ич|ян|дзе|ова|ева|ёва|ина|ына|ская|цкая|овна|евна|ична|ых|их)$"
)
_VOWELS = re.compile("[aeiouy]")
_BETWEEN_KEYS = re.compile(r"[\[\];',`]")
_WORDS = re.compile(r"[^\W_]+")

_FILLERS_TOLD = """
тест test нет no none null nil unknown неизвестно неизвестный неизвестен имя фамилия отчество клиент покупатель гость
guest user пользователь аноним anonymous ааа aaa ыыы фыва йцукен asdf qwerty qwe xxx n/a na н/д б/н
"""
_LEGAL_FORMS_TOLD = """
ооо оао зао пао ао нао тоо чп ип пбоюл гк ано нко фгуп муп гуп мбу гбу фгбу общество с ограниченной ответственностью
акционерное закрытое открытое публичное индивидуальный предприниматель компания фирма тд торговый дом и
llc ltd limited inc incorporated corp corporation co company gmbh ag kg sa sarl srl bv nv oy ab as plc llp lp pte pty
spa kft sro zoo the and of group holding
"""
_FILLERS = frozenset(map(fold, _FILLERS_TOLD.split()))
_LEGAL_FORMS = frozenset(latin_key(fold(word)) for word in _LEGAL_FORMS_TOLD.split())
_SHORTENED_TOLD = """
ул улица, пр проспект, просп проспект, пер переулок, д дом, кв квартира, пл площадь, ш шоссе, наб набережная,
стр строение, корп корпус, к корпус, г город, обл область, мкр микрорайон, оф офис,
st street, ave avenue, av avenue, rd road, blvd boulevard, dr drive, ln lane, pl place, cct circuit, cres crescent,
ct court, hwy highway, sq square, apt flat, ste suite, pde parade, tce terrace
"""
_SHORTENED = {
    latin_key(fold(short)): latin_key(fold(full))
    for short, full in (pair.split() for pair in _SHORTENED_TOLD.split(","))
}
# Said of every address, so that it tells nothing.
_OF_EVERY_ADDRESS = frozenset(
    latin_key(fold(word)) for word in ("улица", "дом", "квартира", "город", "flat", "россия", "офис")
)


def name_words(text: str | None) -> tuple[str, ...]:
    """The Latin keys of a name's words; empty for fillers such as «тест», «нет» or a dash."""
    words = (_as_meant(word) for word in fold(text or "").split() if word not in _FILLERS)
    found = (found for word in words for found in _WORDS.findall(word))
    return tuple(key for word in found if word not in _FILLERS and (key := latin_key(word)))


def title_words(text: str | None) -> tuple[str, ...]:
    """The Latin keys of an organisation's name without its legal form; all of them where nothing else is left."""
    said = fold(text or "").replace("'", "").replace("’", "")
    keys = tuple(key for word in _WORDS.findall(said) if (key := latin_key(_one_alphabet(word))))
    return tuple(key for key in keys if key not in _LEGAL_FORMS) or keys


def address_words(text: str | None) -> tuple[str, ...]:
    """The Latin keys of an address with its abbreviations written out, without the words that every address has."""
    keys = (latin_key(_one_alphabet(word)) for word in _WORDS.findall(fold(text or "")))
    full = (_SHORTENED.get(key, key) for key in keys if key)
    return tuple(key for key in full if key not in _OF_EVERY_ADDRESS)


def _as_meant(word: str) -> str:
    """The word in one alphabet; a Russian name that was typed in the Latin layout as it was meant."""
    if _TYPED_LATIN.fullmatch(word):
        russian = word.translate(_RUSSIAN_KEYS)
        unspeakable = _BETWEEN_KEYS.search(word) or 4 * len(_VOWELS.findall(word)) <= len(word)
        return russian if unspeakable and _RUSSIAN_ENDING.search(russian) else word
    return _one_alphabet(word)


def _one_alphabet(word: str) -> str:
    if not word.isascii() and _CYRILLIC.search(word) and _LATIN.search(word):
        return word.translate(_ALIKE)
    return word
