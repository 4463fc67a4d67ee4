"""What a scheme means in a transaction: its population, its basis and the cuts, of what the caller reaches."""

from dataclasses import replace
from datetime import date

from service.domain.access import Principal
from service.domain.rules.binding import bind, own_fields
from service.domain.rules.fields import Catalogue
from service.domain.rules.model import Asked
from service.domain.rules.parsing import parse
from service.domain.rules.ports import RulesTransaction
from service.domain.segmentation import rfm
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.ports import Purchases, PurchasesTransaction, Scoring
from service.domain.segmentation.rfm import Cuts, Distribution, Method, RfmScheme, Tiles
from service.domain.segmentation.rfm_schemes import NoScheme, OfScheme, SavedScheme


async def scoring(tx: PurchasesTransaction, principal: Principal, today: date, wanted: RfmScheme | OfScheme) -> Scoring:
    """The cuts of a scheme. Raises NoScheme, and what the rule of its population is refused for."""
    saved = await _saved(tx, wanted) if isinstance(wanted, OfScheme) else None
    scheme = saved.scheme if saved else wanted if isinstance(wanted, RfmScheme) else RfmScheme()
    if isinstance(wanted, OfScheme):
        scheme = replace(scheme, as_of=wanted.as_of)
    basis = Basis(
        currency=scheme.currency or principal.currency, as_of=scheme.as_of or today, window_days=scheme.window_days
    )
    purchases: Purchases = tx.purchases
    if saved and saved.population is not None:
        purchases = await purchases.among(await _population(tx, principal, saved.population, basis.as_of))
    scores = await _scores(purchases, basis, scheme)
    return Scoring(scheme=scheme, basis=basis, scores=scores, purchases=purchases, name=saved.name if saved else None)


async def _population(tx: RulesTransaction, principal: Principal, text: str, day: date) -> Asked:
    """Whom a scheme is about, on a day."""
    rule = parse(text).rule
    names = sorted(own_fields(rule))
    definitions = await tx.attributes.among(names) if names else {}
    catalogue = Catalogue.of(definitions.values())
    return Asked(
        rule=bind(rule, catalogue, principal.scopes, day, "/population"),
        catalogue=catalogue,
        today=day,
        time_zone=principal.time_zone,
        currency=principal.currency,
    )


async def _saved(tx: PurchasesTransaction, wanted: OfScheme) -> SavedScheme | None:
    if wanted.scheme_id is None:
        return None
    found = await tx.rfm_schemes.one(wanted.scheme_id)
    if found is None:
        raise NoScheme
    return found


async def _scores(purchases: Purchases, basis: Basis, scheme: RfmScheme) -> Cuts | Tiles:
    if scheme.method is Method.NTILE:
        return Tiles(bins=scheme.bins)
    fractions = rfm.wanted_fractions(scheme)
    distribution = await purchases.distribution(basis, scheme.monetary, fractions) if fractions else Distribution()
    return rfm.cuts(distribution, scheme, basis.as_of)
