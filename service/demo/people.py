"""Names, companies, e-mails, phones and tax numbers of people and firms that do not exist.

Drawing from mimesis one by one would take a minute for a base, so pools are drawn once and combined.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from mimesis import Address, Person
from mimesis.enums import Gender
from mimesis.locales import Locale

from service.demo.places import MOBILE_CODES, Place

_COMMON = frozenset(
    """
    Александр Дмитрий Максим Сергей Андрей Алексей Артём Илья Кирилл Михаил Никита Матвей Роман Егор Иван Владимир
    Анна Мария Елена Дарья Алина Ирина Екатерина Ольга Юлия Татьяна Наталья Светлана Виктория Анастасия Ксения
    Александрович Дмитриевич Сергеевич Андреевич Алексеевич Иванович Михайлович Владимирович Николаевич Юрьевич
    Александровна Дмитриевна Сергеевна Андреевна Алексеевна Ивановна Михайловна Владимировна Николаевна Юрьевна
    James John Robert Michael William David Richard Joseph Thomas Charles Daniel Matthew Anthony Mark Paul
    Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Nancy Lisa Emily Emma Olivia
    """.split()  # noqa: SIM905 - a list of quoted words would fill the page
)
_LATIN = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z", "и": "i", "й": "y",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
    "х": "h", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
    "-": "", " ": "", "'": "",
}  # fmt: skip
_TABLE = str.maketrans(_LATIN)
_RU_MAIL = ("mail.ru", "yandex.ru", "gmail.com", "bk.ru", "inbox.ru", "list.ru", "rambler.ru", "icloud.com")
_EN_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "hotmail.com", "proton.me")
_MAIL_WEIGHTS = (34, 28, 22, 5, 4, 3, 2, 2)
_BRANCHES = ("Строй", "Агро", "Тех", "Мед", "Авто", "Пром", "Эко", "Софт", "Транс", "Электро", "Мебель", "Опт")
_TRADES = ("сервис", "торг", "маркет", "групп", "альянс", "снаб", "комплект", "центр", "логистика", "ресурс")
_WINDS = ("Юг", "Север", "Запад", "Восток", "Волга", "Урал", "Плюс", "Люкс", "М", "2000", "Нева", "Дон", "Сити")
_FIRMS = ("Supplies", "Trading", "Foods", "Logistics", "Interiors", "Hotels", "Partners", "Catering", "Studio")
_FORMS = ("ООО", "ООО", "ООО", "ООО", "АО", "ПАО")


@dataclass(frozen=True, slots=True)
class Pool:
    """Words with running weights, so that common ones come often."""

    words: tuple[str, ...]
    weights: tuple[float, ...]

    def draw(self, rng: Random) -> str:
        return rng.choices(self.words, cum_weights=self.weights)[0]


def _pool(words: Sequence[str]) -> Pool:
    unique = tuple(dict.fromkeys(words))
    return Pool(unique, tuple(accumulate(25.0 if word in _COMMON else 1.0 for word in unique)))


class Names:
    """Pools of one language."""

    def __init__(self, language: str, seed: int) -> None:
        locale = Locale.RU if language == "ru" else Locale.EN
        person, address = Person(locale, seed=seed), Address(locale, seed=seed)
        genders = {"male": Gender.MALE, "female": Gender.FEMALE}
        self.language = language
        self.given = {name: _pool([person.first_name(gender=g) for _ in range(900)]) for name, g in genders.items()}
        self.family = {name: _pool([person.last_name(gender=g) for _ in range(2_500)]) for name, g in genders.items()}
        self.patronymic = (
            {name: _pool([person.patronymic(gender=g) or "" for _ in range(600)]) for name, g in genders.items()}
            if language == "ru"
            else {}
        )
        self.streets = _pool([address.street_name() for _ in range(700)])


def latin(text: str) -> str:
    """A name in plain Latin letters, as people spell it in an address."""
    return text.lower().translate(_TABLE)


def email(rng: Random, language: str, given: str, family: str, domain: str | None = None) -> str:
    """One of the usual ways to make an address out of a name."""
    first, last, number = latin(given), latin(family), rng.randrange(1, 100)
    local = rng.choice(
        (f"{first}.{last}{number}", f"{last}.{first}", f"{first[:1]}{last}{number}", f"{last}{number:02d}")
    )
    if domain is None:
        domains = _RU_MAIL if language == "ru" else _EN_MAIL
        domain = rng.choices(domains, weights=_MAIL_WEIGHTS[: len(domains)])[0]
    return f"{''.join(sign for sign in local if sign.isascii()).strip('.')}@{domain}"


def phone(rng: Random, country: str) -> str:
    """A number that its country's plan allows, written as people write it."""
    code = rng.choice(MOBILE_CODES[country])
    if country == "RU":
        tail = f"{rng.randrange(10_000_000):07d}"
        shapes = ("+7 {} {}-{}-{}", "8 ({}) {}-{}-{}", "+7{}{}{}{}", "{}{}{}{}")
        return rng.choices(shapes, weights=(5, 3, 3, 1))[0].format(code, tail[:3], tail[3:5], tail[5:])
    if country == "GB":
        return f"+44 {code} {rng.randrange(1_000_000):06d}"
    return f"+1 {code}-{rng.randrange(200, 990)}-{rng.randrange(10_000):04d}"


def postal_code(rng: Random, place: Place) -> str:
    """Six digits, five digits, or an outward and an inward part, as the country has it."""
    if place.country == "GB":
        inward = f"{rng.randrange(1, 10)}{rng.choice('ABDEFGHJL')}{rng.choice('NPQRSTUW')}"
        return f"{place.postal}{rng.randrange(1, 20)} {inward}"
    digits = 6 if place.country == "RU" else 5
    width = digits - len(place.postal)
    return f"{place.postal}{rng.randrange(10**width):0{width}d}"


def street(rng: Random, names: Names) -> str:
    """A street and a house."""
    name, house = names.streets.draw(rng), rng.randrange(1, 180)
    return f"ул. {name}, д. {house}, кв. {rng.randrange(1, 240)}" if names.language == "ru" else f"{house} {name}"


def company(rng: Random, names: Names) -> tuple[str, str]:
    """Legal and trade name."""
    if names.language == "en":
        family = names.family[rng.choice(("male", "female"))]
        trade = f"{family.draw(rng)} {rng.choice(_FIRMS)}" if rng.random() < 0.7 else f"{family.draw(rng)} & Sons"
        return f"{trade} Ltd", trade
    trade = f"{rng.choice(_BRANCHES)}{rng.choice(_TRADES)}"
    if rng.random() < 0.6:
        trade += f" {rng.choice(_WINDS)}"
    return f"{rng.choice(_FORMS)} «{trade}»", trade


def inn(rng: Random, region: int) -> str:
    """A company's tax number with its check digit."""
    body = f"{region:02d}{rng.randrange(1, 60):02d}{rng.randrange(100_000):05d}"
    weights = (2, 4, 10, 3, 5, 9, 4, 6, 8)
    return f"{body}{sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11 % 10}"


def ogrn(rng: Random, region: int) -> str:
    """A company's registration number with its check digit."""
    body = f"1{rng.randrange(2, 25):02d}{region:02d}{rng.randrange(10_000_000):07d}"
    return f"{body}{int(body) % 11 % 10}"
