"""What a payment costs: benefits, random draws, stacking, and why each campaign applied or not.  Pure.

`price` makes the offer of a payment (price.py); `offers_of` those of every account that could take it; `fee_off` adds
what campaigns pay of the merchant's fee, once the account is chosen.  docs/campaigns.md "Stacking" is for managers.
"""

from promotions.pricing.entitlement import Circumstances
from promotions.pricing.fees import fee_off
from promotions.pricing.funding import subsidy_fen
from promotions.pricing.offers import Offers, offers_of
from promotions.pricing.price import price

__all__ = ["Circumstances", "Offers", "fee_off", "offers_of", "price", "subsidy_fen"]
