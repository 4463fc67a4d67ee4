"""One table: kind of job → the service that carries it out."""

from collections.abc import Awaitable, Callable, Mapping

from service.domain.access import Principal
from service.domain.duplicates.scanning import DuplicateScan
from service.domain.duplicates.service import KIND as DUPLICATES
from service.domain.exports.service import ExportService
from service.domain.ingestion.service import IngestionService
from service.domain.jobs import Job
from service.domain.quality.scanning import KIND as QUALITY
from service.domain.quality.scanning import ScanService

# A handler says how many items came to which end, for the metrics; None where there is nothing to count.
Handler = Callable[[Principal, Job], Awaitable[Mapping[str, int] | None]]


def handlers(
    ingestion: IngestionService, exports: ExportService, duplicates: DuplicateScan, quality: ScanService
) -> Mapping[str, Handler]:
    return {"import": ingestion.run, "export": exports.run, DUPLICATES: duplicates.run, QUALITY: quality.run}
