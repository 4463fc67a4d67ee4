"""Why a rule is refused; each names the place."""

from service.domain.errors import Rejected


class BadRule(Rejected):
    code = "bad-rule"
    title = "The rule asks for what the catalogue of fields doesn't know, or with a value of another type."


class RuleTooLarge(Rejected):
    code = "rule-too-large"
    title = "A rule may be nested 8 levels deep and have 200 clauses, and a list in it 1 000 values."


class RuleUnreadable(Rejected):
    code = "rule-unreadable"
    title = "The text of the rule can't be read; the answer names line and column."


class ContactsClosed(Rejected):
    code = "contacts-closed"
    title = "Contacts are closed: a rule may ask which kinds a customer has, never what stands in them."


class FieldClosed(Rejected):
    code = "field-closed"
    title = "The rule asks for a field that the caller may not see."
