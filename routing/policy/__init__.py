"""Operations' policy for the router: read and checked (document), ready to be asked (compiled), kept (store).

`PolicyBook.current` is the policy in force in this process, `.guide(sale)` what it says of a sale, and `Splits` deals
payments out by a rule's shares.
"""
