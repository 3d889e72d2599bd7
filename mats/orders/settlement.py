"""When an order whose end the broker never says is settled all the same: the stated proof, and what follows from it."""

from typing import Literal

import msgspec


class SettlementPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about an order of unknown state once the broker has said the same of it for `proof_seconds`.

    The proof is made of complete answers only: executions, open and completed orders of the order's own client id,
    asked anew each time, by a gateway that had its link to the broker's servers. `unlisted`: an order that is in none
    of them is cancelled, or stays as it is. `inactive`: one that stays parked is asked to be cancelled, or stays. What
    stays counts as exposure until the broker speaks or an operator settles it.
    """

    proof_seconds: float = 60.0
    unlisted: Literal["cancelled", "keep"] = "cancelled"
    inactive: Literal["cancel", "keep"] = "cancel"

    def absence_proof(self, seconds: float) -> str:
        """Why an order that was in no list for so long has ended, in words; empty where that is no proof."""
        if self.unlisted == "keep" or seconds < self.proof_seconds:
            return ""
        return f"not at the broker: in none of its lists for {seconds:.0f} s, and no execution"

    def gives_up(self, seconds: float) -> bool:
        """Whether an order that was parked for so long is to be cancelled."""
        return self.inactive == "cancel" and seconds >= self.proof_seconds
