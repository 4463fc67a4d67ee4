"""Refusals of a whole file: nothing (more) of it can be read. A bad row is never one of these; see `faults`.

Each names the place (line, column or byte) and the cure, so that the person who sent the file can mend it.
"""

from service.domain.errors import Forbidden, Rejected


class PoolOutOfReach(Forbidden):
    code = "pool-out-of-reach"
    title = "Imports of this tenant land in its pool, which only those fill who reach the whole tenant."


class EmptyFile(Rejected):
    code = "empty-file"
    title = "The file is empty."


class NoRows(Rejected):
    code = "no-rows"
    title = "The file has a header, but no rows."


class TruncatedFile(Rejected):
    code = "truncated-file"
    title = "The file ends too early; a part of it is missing."


class CorruptFile(Rejected):
    code = "corrupt-file"
    title = "The compressed data is damaged."


class CompressedTooFar(Rejected):
    code = "compressed-too-far"
    title = "The file unpacks to far more than real data does."


class UnreadableFile(Rejected):
    code = "unreadable-file"
    title = "Reading the file takes more memory or time than any real table does."


class NotText(Rejected):
    code = "not-a-text-file"
    title = "The file is not a CSV or another text table."


class WrongEncoding(Rejected):
    code = "wrong-encoding"
    title = "The file has bytes that its encoding doesn't allow."


class UnknownEncoding(Rejected):
    code = "unknown-encoding"
    title = "The encoding can't be told, or is not one that is read here."


class LineTooLong(Rejected):
    code = "line-too-long"
    title = "A line or a cell is longer than this service reads."


class BadDelimiter(Rejected):
    code = "bad-delimiter"
    title = "The delimiter must be one of , ; tab | or whitespace."


class DuplicateHeader(Rejected):
    code = "duplicate-header"
    title = "The header names one column twice."


class UnknownColumn(Rejected):
    code = "unknown-column"
    title = "The file's columns and the mapping don't fit."


class MissingColumn(Rejected):
    code = "missing-column"
    title = "A column that every row needs is not there."


class UnknownField(Rejected):
    code = "unknown-field"
    title = "The mapping names a field that this kind of import doesn't have."


class BadMapping(Rejected):
    code = "bad-mapping"
    title = "The mapping can't be used as it is."


class UnknownPreset(Rejected):
    code = "unknown-preset"
    title = "There is no preset of this name."
