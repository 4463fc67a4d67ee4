"""What the demo's shop sells: about 400 products in twelve categories, popular by Zipf's law, dearer every quarter."""

from dataclasses import dataclass
from itertools import accumulate
from math import exp
from random import Random

_SERIES = ("Север", "Заря", "Лён", "Янтарь", "Волна", "Nord", "Luna", "Basic")
_GROWTH_A_QUARTER = 0.02
# Name, the price in the middle (roubles), how far prices spread, what there is, and in which sizes.
_CATEGORIES: tuple[tuple[str, int, float, str, tuple[str, ...]], ...] = (
    ("Кофе и чай", 620, 0.5, "Кофе в зёрнах, Кофе молотый, Чай чёрный, Чай зелёный, Какао", ("250 г", "1 кг")),
    ("Посуда", 890, 0.7, "Кружка, Тарелка, Салатник, Чайник заварочный, Сковорода", ("S", "M")),
    ("Текстиль", 2_300, 0.6, "Плед, Полотенце, Скатерть, Комплект белья, Штора", ("бежевый", "серый")),
    ("Свет", 2_900, 0.7, "Лампа настольная, Торшер, Люстра, Гирлянда, Ночник", ("белый", "чёрный")),
    ("Мебель", 11_500, 0.8, "Стул, Стол, Стеллаж, Кресло, Комод", ("дуб", "белый")),
    ("Канцелярия", 240, 0.6, "Тетрадь, Ручка, Папка, Ежедневник, Маркер", ("А5", "А4")),
    ("Техника для кухни", 6_400, 0.6, "Чайник, Блендер, Тостер, Весы, Кофемолка", ("стекло", "сталь")),
    ("Уборка", 390, 0.5, "Швабра, Средство для пола, Салфетки, Порошок, Ведро", ("1 л", "5 л")),
    ("Инструменты", 3_100, 0.9, "Дрель, Отвёртка, Молоток, Набор ключей, Рулетка", ("Home", "Pro")),
    ("Хранение", 760, 0.6, "Короб, Корзина, Контейнер, Вешалка, Органайзер", ("20 л", "40 л")),
    ("Сад", 1_450, 0.9, "Лейка, Секатор, Горшок, Шланг, Семена", ("малый", "большой")),
    ("Детям", 1_250, 0.7, "Конструктор, Пазл, Книга, Мягкая игрушка, Раскраска", ("3+", "6+")),
)

_PREFIXES = {name: f"K{number:02d}" for number, (name, *_) in enumerate(_CATEGORIES, start=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product with its price of each quarter, as text in roubles."""

    sku: str
    name: str
    category: str
    prices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Products, the most popular first, with their running weights."""

    products: tuple[Product, ...]
    weights: tuple[float, ...]


def catalogue(rng: Random, *, quarters: int, size: int = 400) -> Catalogue:
    """A catalogue drawn for one run."""
    drawn = [
        (category, f"{noun} «{series}» {variant}", middle, spread)
        for category, middle, spread, nouns, variants in _CATEGORIES
        for noun in nouns.split(", ")
        for series in _SERIES
        for variant in variants
    ]
    rng.shuffle(drawn)
    products = tuple(
        Product(
            sku=f"{_PREFIXES[category]}-{number:04d}",
            name=name,
            category=category,
            prices=_prices(middle * exp(rng.gauss(0, spread)), quarters),
        )
        for number, (category, name, middle, spread) in enumerate(drawn[:size], start=1)
    )
    weights = accumulate(1 / (rank + 5) ** 0.9 for rank in range(len(products)))
    return Catalogue(products=products, weights=tuple(weights))


def _prices(first: float, quarters: int) -> tuple[str, ...]:
    # Shops like prices just below a round one.
    rising = (max(first * (1 + _GROWTH_A_QUARTER) ** quarter, 29) for quarter in range(quarters))
    return tuple(f"{round(price / 10) * 10 - 1}.{'90' if price < 1000 else '00'}" for price in rising)
