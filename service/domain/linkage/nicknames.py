"""What people are called besides their given name: Саша is Александр, Bob is Robert.

One short name may stand for several (Саша: Александр, Александра; Слава: Вячеслав, Станислав, Ярослав), so names are
compared by whether they share a full one.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from service.domain.customers.names import fold, latin_key

# Full names before the colon, what they are called after it.
_CALLED = """
александр александра: саша шура сашка алекс саня шурик
алексей: лёша алёша лёха
альберт: алик
анастасия: настя ася стася настасья
анатолий: толя толик
андрей: андрюша
анна: аня анюта нюра аннушка
антонина антон: тоня тоша
аркадий: аркаша
артём артемий: тёма
борис: боря
вадим: вадик
валентина валентин валерия валерий: валя валера лера
варвара: варя
василий василиса: вася
вера: верочка
виктор: витя
виктория: вика
виталий: виталик
владимир: вова володя влад
владислав владислава: влад владик слава
вячеслав станислав ярослав святослав мирослав: слава стас ярик
галина: галя
геннадий евгений евгения: гена женя
георгий егор юрий: гоша жора юра гриша
григорий: гриша
дарья: даша
даниил данила данил: даня
денис: дэн
дмитрий: дима митя
евдокия: дуня
екатерина: катя катюша
елена: лена алёна
елизавета: лиза
зинаида: зина
иван: ваня
игорь: гарик
илья: илюша
иннокентий: кеша
ирина: ира
кирилл: кирюша
клавдия: клава
константин: костя
ксения: ксюша оксана
лариса: лара
леонид: лёня
лидия: лида
любовь: люба
людмила: люда мила люся
магомед: мага
маргарита: рита марго
мария марья: маша маруся
максим максимилиан: макс
матвей: мотя
михаил: миша
надежда: надя
наталья наталия: наташа ната
никита николай: коля ника
ольга: оля
павел: паша
пётр: петя
полина: поля
раиса: рая
роман: рома
ростислав: ростик слава
светлана: света лана
семён: сёма
сергей серафим: серёжа серж сима
софья софия: соня
степан: стёпа
тамара: тома
татьяна: таня
тимофей тимур: тима
ульяна: уля
фёдор: федя
эдуард: эдик
юлия: юля
юлиана юлиан: юля
яков: яша
abigail: abby gail
albert alfred: al bert alfie fred
alexander alexandra: alex sandy sasha xander
amanda: mandy
andrew: andy drew
anthony: tony
barbara: barb babs
benjamin: ben benny
catherine katherine kathryn: kate katie cathy kathy kit kitty
charles charlotte: charlie chuck lottie
christina christine christopher: chris tina kit christy
daniel danielle: dan danny dani
david: dave davie
deborah: debbie deb
donald: don donnie
dorothy: dot dolly
edward edmund edwin: ed eddie ted teddy ned
eleanor helen: ellie nell nelly
elizabeth: liz lizzie beth betty eliza betsy libby lisa
emily emma amelia: em emmy millie
florence: flo florrie
frances francis: fran frank frankie
frederick: fred freddie freddy
gabriel gabrielle: gabe gabby
george: georgie
gerald geraldine: gerry jerry
gregory: greg
harold henry: harry hal hank
isabella isabelle isobel: bella izzy belle
jacob: jake
james: jim jimmy jamie
jennifer: jen jenny
jessica: jess jessie
john jonathan: johnny jack jon
joseph josephine: joe joey jo josie
joshua: josh
judith: judy
kenneth: ken kenny
kimberly: kim
laurence lawrence: larry laurie
leonard: leo len lenny
louis louise: lou
madeleine madeline: maddy
margaret: maggie meg peggy marge
martha: marty
matthew: matt matty
maximilian: max
michael: mike mick mickey
natalie natasha: nat
nathan nathaniel: nate nat
nicholas: nick nicky
oliver olivia: ollie liv
pamela: pam
patricia patrick: pat patty paddy trish
peter: pete
philip phillip philippa: phil pip pippa
rebecca: becky becca
richard: rick ricky dick rich
robert: rob bob bobby robbie
ronald: ron ronnie
rosemary rose: rosie
samuel samantha: sam sammy
sebastian: seb
stephen steven: steve
stephanie: steph
susan suzanne: sue susie suzy
theodore: theo ted teddy
theresa: terry tess
thomas: tom tommy
timothy: tim timmy
tobias: toby
victoria victor: vicky vic tori
vincent: vince vinny
virginia: ginny
walter: walt wally
william: will bill billy liam willie
zachary: zach zack
"""


def same_person_may_be_called(one: str, other: str) -> bool:
    """Whether two given names, as Latin keys, can be full and short of one, or two short ones of one."""
    known = _full_names()
    first = known.get(one)
    if first is None:
        return False
    second = known.get(other)
    return second is not None and not first.isdisjoint(second)


def full_names(key: str) -> frozenset[str]:
    """The full names that a Latin key may stand for; itself when none is known."""
    return _full_names().get(key) or frozenset((key,))


@cache
def _full_names() -> Mapping[str, frozenset[str]]:
    full: dict[str, set[str]] = {}
    for name, fulls in _entries():
        full.setdefault(name, set()).update(fulls)
    return MappingProxyType({name: frozenset(fulls) for name, fulls in full.items()})


def _entries() -> Iterator[tuple[str, tuple[str, ...]]]:
    for line in _CALLED.strip().splitlines():
        fulls, _, shorts = line.partition(":")
        keys = tuple(latin_key(fold(name)) for name in fulls.split())
        yield from ((key, (key,)) for key in keys)
        # A name that stands beside another before the colon shares its short forms, not its bearer.
        yield from ((latin_key(fold(short)), keys) for short in shorts.split())
