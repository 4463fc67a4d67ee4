"""SVG by hand: what is said can't become markup, and whatever is drawn parses."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from service.api import svg

_COLOURS = st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)
_NAMESPACE = "{http://www.w3.org/2000/svg}"


def drawn(*shapes: str, title: str = "Chart") -> ElementTree.Element:
    return ElementTree.fromstring(bytes(svg.document(300, 200, shapes, title=title, about="About").body))


@given(said=st.text(max_size=40))
def test_words_stay_words(said: str) -> None:
    root = drawn(svg.text(1, 2, said), svg.rect(0, 0, 5, 5, fill="#000000", hint=said or "-"), title=said)
    assert [one.tag.removeprefix(_NAMESPACE) for one in root.iter()][3:5] == ["rect", "text"]
    kept = "".join(one for one in said if one in "\t\n\r" or (ord(one) >= 32 and ord(one) not in (0xFFFE, 0xFFFF)))
    shown = root.findtext(f"{_NAMESPACE}text") or ""
    assert shown.replace("\r", "\n") == kept.replace("\r\n", "\n").replace("\r", "\n")


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    root = drawn(svg.text(0, 0, '</text><script>alert("1")</script>&amp;'))
    assert root.findtext(f"{_NAMESPACE}text") == '</text><script>alert("1")</script>&amp;'
    assert not list(root.iter(f"{_NAMESPACE}script"))


@given(fill=_COLOURS)
def test_letters_are_readable_on_any_colour(fill: str) -> None:
    lights = sorted((svg._luminance(fill), svg._luminance(svg.ink_on(fill))))
    assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 3.5


@given(said=st.text(max_size=60), width=st.integers(0, 400), size=st.integers(8, 20))
def test_what_is_fitted_is_no_longer_than_the_room(said: str, width: int, size: int) -> None:
    assert len(svg.fitted(said, width, size)) * size * 0.58 <= width


def test_mixed_colours_begin_and_end_with_theirs() -> None:
    assert (svg.mixed("#000000", "#ffffff", 0), svg.mixed("#000000", "#ffffff", 1)) == ("#000000", "#ffffff")
    assert svg.mixed("#000000", "#ff0000", 0.5) == "#800000"
