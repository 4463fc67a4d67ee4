"""The names that older tests use; see tests/api/support.py."""

from tests.api.support import Api, api, in_the_api

__all__ = ["Api", "api", "in_the_api"]
