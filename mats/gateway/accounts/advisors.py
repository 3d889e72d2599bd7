"""Several accounts under one login: linked accounts, or the clients of an advisor.

The login is an advisor's if the first account is one: its name begins with F, or with DF on paper. Source: IB's
documentation of financial advisors.
"""

from collections.abc import Collection, Iterable

from mats.gateway.accounts.account_service import RequestHandler
from mats.gateway.protocol import ClientSession, Fields, responses
from mats.model import AccountId

GROUPS, ALIASES = 1, 3
"""Kinds of an advisor's data."""

NOT_AN_ADVISOR = "FA data operations ignored for non FA customers."
XML = '<?xml version="1.0" encoding="UTF-8"?>'


def is_advisor(accounts: Collection[AccountId]) -> bool:
    return next(iter(accounts), "").startswith(("F", "DF"))


class AdvisorService:
    """Requests about an advisor's accounts. The only group is `All`: it cannot be changed, nor used by an order."""

    def __init__(self, accounts: Iterable[AccountId]) -> None:
        self._accounts = tuple(accounts)

    def requests(self) -> dict[int, RequestHandler]:
        return {18: self._data, 19: self._replace, 80: self._family_codes}

    def _data(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        kind = fields.integer()
        if not is_advisor(self._accounts):
            session.send(responses.error(-1, 321, f"Error validating request.-'bk' : cause - {NOT_AN_ADVISOR}"))
        elif kind == GROUPS:
            members = "".join(f"<String>{name}</String>" for name in self._accounts[1:])
            group = f"<Group><name>All</name><ListOfAccts varName='list'>{members}</ListOfAccts></Group>"
            session.send((16, 1, kind, f"{XML}<ListOfGroups>{group}</ListOfGroups>"))
        elif kind == ALIASES:
            names = self._accounts
            aliases = "".join(f"<AccountAlias><account>{n}</account><alias>{n}</alias></AccountAlias>" for n in names)
            session.send((16, 1, kind, f"{XML}<ListOfAccountAliases>{aliases}</ListOfAccountAliases>"))
        else:
            session.send(responses.error(-1, 321, f"Error validating request.-'bk' : cause - No data of kind {kind}"))

    def _replace(self, session: ClientSession, fields: Fields) -> None:
        text = "The groups of the paper gateway cannot be changed" if is_advisor(self._accounts) else NOT_AN_ADVISOR
        session.send(responses.error(-1, 321, f"Error validating request.-'bl' : cause - {text}"))

    def _family_codes(self, session: ClientSession, fields: Fields) -> None:
        codes = ((name, "") for name in self._accounts)
        session.send((78, len(self._accounts), *(field for code in codes for field in code)))
