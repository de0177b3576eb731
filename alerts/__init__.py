"""From a judged change to a person who acts: transitions in, kept alerts and delivered notices out.

``store.alerts.apply`` keeps a transition, ``notices`` decides who hears of it in which words, ``store.outbox`` holds
the notices in the same transaction, and ``sender`` hands them to the channels afterwards, as often as it takes.
"""
