"""effects: what took effect in a gateway's log, and whether an agency was told of all of it."""
import collections

import checker


class Log:
    """Of a data directory whose daemon has ended, or stands still in peace."""

    def __init__(self, data):
        c = checker.Checker(data)
        try:
            c.check_log()
            self.claims = [claim[:4] for claim in c.claims.values()]
            self.events = {seq for seq, *_ in c.events}
            self.persons = {person: version for person, (version, _) in c.chains.items()}
            self.vault = c.vault
        finally:
            c.db.close()
            c.place.cleanup()

    def twice(self):
        """Versions of source keys that took effect more than once."""
        return [name for name, n in collections.Counter(self.claims).items() if n > 1]

    def versions(self, audience):
        """{reference: version} of every person, as that audience knows them."""
        return {self.vault.ref(audience, person).hex(): version for person, version in self.persons.items()}


def changes(told, wanted):
    """(faults, how many events, how many of them again) of what an agency was told: (event id, seq, person) in order."""
    seen, last, faults, lines = set(), {}, [], 0
    for event, seq, person in told:
        lines += 1
        if event not in seen:
            if seq <= last.get(person, 0):
                faults.append("a person's changes came in another order")
            last[person] = seq
        seen.add(event)
    had = {int(event.rsplit("-", 1)[1]) for event in seen}
    if wanted - had:
        faults.append(f"{len(wanted - had)} changes did not come, such as that of entry {min(wanted - had)}")
    if had - wanted:
        faults.append(f"{len(had - wanted)} changes are of nobody, such as that of entry {min(had - wanted)}")
    return faults, len(seen), lines - len(seen)
