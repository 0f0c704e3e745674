"""goals: what a figure should reach, and whether it does."""

RATIO, VALUE = "ratio", "value"  # judged: the gateway's figure by the row's, or the row's own figure


class Goal:
    """One bound: least or most."""

    def __init__(self, of, least=None, most=None):
        assert (least is None) != (most is None)
        self.of, self.least, self.most = of, least, most

    def bound(self):
        return self.most if self.least is None else self.least

    def sign(self):
        return "≤" if self.least is None else "≥"

    def judge(self, figure):
        """The verdict on a row's figure (None: it has none). What was not measured is never met."""
        if figure is None:
            return "not measured" if self.of == VALUE else "no baseline"
        value = figure.get("gateway_by_this" if self.of == RATIO else "median")
        if value is None:
            return "not measured"
        missing = value / self.bound() - 1 if self.least is None else 1 - value / self.bound()
        if missing <= 0:
            return "met"
        return f"missed by {100 * missing:.0f} %" if missing >= 0.01 else "missed by less than 1 %"


def least(value):
    return Goal(VALUE, least=value)


def most(value):
    return Goal(VALUE, most=value)


def least_ratio(value):
    return Goal(RATIO, least=value)


def most_ratio(value):
    return Goal(RATIO, most=value)
