#!/usr/bin/env python3
"""A slow, independent reading of the market rules (sections D1 to D11, D13, D17 and RFC 6962), to check the product against.

It shares nothing with the product: Python's whole numbers, searches where the product has closed forms, and exact fractions where the
product has fixed-point accumulators' fast paths. `reference.py OUT.json [SEED]` writes random cases in the conformance format; the
committed cases.json is the output for the default seed.
"""
import hashlib
import json
import random
import sys
from fractions import Fraction

E8 = 10**8


def ceil_div(a, b):
    return -(-a // b)


def prod(values):
    result = 1
    for value in values:
        result *= value
    return result


class Refused(Exception):
    pass


def largest(low, high, holds):
    """The largest x in [low, high] that holds, for a condition that is true up to some x."""
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


class Pool:
    def __init__(self, n, ppm, amount, hint):
        self.n, self.ppm = n, ppm
        top = max(hint)
        self.R = [ceil_div(amount * h, top) for h in hint]
        self.check_min(self.R)
        self.S = self.L = amount
        self.F = 0
        self.acc = self.rem = 0
        self.shares = {"house": [amount - r for r in self.R]}
        self.lp = {"house": amount}
        self.entry = {"house": 0}

    def check_min(self, reserves):
        if min(reserves) < max(10**10, 2 * 10**9 * self.n):
            raise Refused("RESERVE_BELOW_MIN")

    def take_fee(self, fee):
        value = fee * 2**64 + self.rem
        self.acc += value // self.L
        self.rem = value % self.L
        self.F += fee

    def claim(self, user):
        due = self.lp.get(user, 0) * (self.acc - self.entry.get(user, self.acc)) // 2**64
        self.F -= due
        self.entry[user] = self.acc
        return due

    def holding(self, user):
        return self.shares.setdefault(user, [0] * self.n)

    def prices(self):
        weights = [prod(self.R[:i] + self.R[i + 1:]) for i in range(self.n)]
        if self.n == 2:
            yes = E8 * self.R[1] // sum(self.R)
            return [yes, E8 - yes]
        exact = [Fraction(E8 * w, sum(weights)) for w in weights]
        result = [int(x) for x in exact]
        order = sorted(range(self.n), key=lambda i: (-(exact[i] - result[i]), i))
        for i in order[:E8 - sum(result)]:
            result[i] += 1
        return result

    def slippage(self, o, before, cash, shares):
        mid = Fraction(before[1 - o], sum(before))
        value = abs(Fraction(cash, shares) - mid) / mid * 10**6
        return -((-value.numerator) // value.denominator)

    def quote_buy(self, o, gross):
        fee = ceil_div(gross * self.ppm, 10**6)
        a = gross - fee
        if a <= 0:
            raise Refused("AMOUNT_TOO_SMALL")
        after = [r + a for r in self.R]
        after[o] = ceil_div(prod(self.R), prod(after[:o] + after[o + 1:]))
        shares = self.R[o] + a - after[o]
        if shares <= 0:
            raise Refused("AMOUNT_TOO_SMALL")
        self.check_min(after)
        return fee, a, shares, after

    def quote_sell(self, o, s):
        k = prod(self.R)
        others = self.R[:o] + self.R[o + 1:]
        a = largest(0, min(others + [self.R[o] + s]), lambda x: (self.R[o] + s - x) * prod(r - x for r in others) >= k)
        fee = ceil_div(a * self.ppm, 10**6)
        if a - fee <= 0:
            raise Refused("AMOUNT_TOO_SMALL")
        after = [r - a for r in self.R]
        after[o] += s
        self.check_min(after)
        return fee, a, after

    def buy(self, user, o, gross, least=0):
        fee, a, shares, after = self.quote_buy(o, gross)
        if shares < least:
            raise Refused("SLIPPAGE")
        before, self.R = self.R, after
        self.S += a
        self.take_fee(fee)
        self.holding(user)[o] += shares
        result = {"fee": fee, "net": a, "shares": shares}
        if self.n == 2:
            result["slippage_ppm"] = self.slippage(o, before, a, shares)
        return result

    def sell(self, user, o, s, least=0):
        if self.holding(user)[o] < s:
            raise Refused("INSUFFICIENT_SHARES")
        fee, a, after = self.quote_sell(o, s)
        if a - fee < least:
            raise Refused("SLIPPAGE")
        before, self.R = self.R, after
        self.S -= a
        self.take_fee(fee)
        self.holding(user)[o] -= s
        result = {"gross": a, "fee": fee, "net": a - fee}
        if self.n == 2:
            result["slippage_ppm"] = self.slippage(o, before, a, s)
        return result

    def add(self, user, amount):
        top = max(self.R)
        keep = [ceil_div(amount * r, top) for r in self.R]
        mint = amount * self.L // top
        if mint <= 0:
            raise Refused("AMOUNT_TOO_SMALL")
        claimed = self.claim(user)
        back = [amount - k for k in keep]
        self.R = [r + k for r, k in zip(self.R, keep)]
        self.S += amount
        self.L += mint
        self.lp[user] = self.lp.get(user, 0) + mint
        held = self.holding(user)
        self.shares[user] = [h + b for h, b in zip(held, back)]
        return {"minted": mint, "kept": keep, "back": back, "claimed": claimed}

    def remove(self, user, amount):
        if self.lp.get(user, 0) < amount:
            raise Refused("INSUFFICIENT_LP")
        out = [r * amount // self.L for r in self.R]
        after = [r - x for r, x in zip(self.R, out)]
        self.check_min(after)
        claimed = self.claim(user)
        merged = min(out)
        left = [x - merged for x in out]
        self.R = after
        self.S -= merged
        self.L -= amount
        self.lp[user] -= amount
        held = self.holding(user)
        self.shares[user] = [h + x for h, x in zip(held, left)]
        return {"out": out, "merged": merged, "left": left, "claimed": claimed}

    def state(self):
        return {"R": list(self.R), "S": self.S, "L": self.L, "F": self.F, "price_e8": self.prices()}

    def check(self):
        for o in range(self.n):
            assert self.R[o] + sum(h[o] for h in self.shares.values()) == self.S
        assert sum(self.lp.values()) == self.L

    def apply(self, op):
        try:
            step = getattr(self, op[0])(op[1], *op[2:])
        except Refused as refusal:
            step = {"rejected": str(refusal)}
        step["state"] = self.state()
        self.check()
        return step

    def settle(self, vector):
        worth = lambda held: sum(h * q for h, q in zip(held, vector)) // E8
        traders = {user: worth(held) for user, held in self.shares.items()}
        value = worth(self.R)
        lp = {user: value * held // self.L for user, held in self.lp.items()}
        locked, fees = self.S, self.F
        claims = {user: self.claim(user) for user in self.lp}
        return {
            "vector": vector, "locked": locked, "traders": traders, "pool_value": value, "lp": lp, "lp_fees": claims,
            "dust": locked - sum(traders.values()) - sum(lp.values()), "fee_dust": fees - sum(claims.values()),
        }


def depth(R, o):
    """By search on exact fractions: the price along the curve is p = (1/R_o) / sum(1/R), with R_o = K / product of the others."""
    k = prod(R)
    others = R[:o] + R[o + 1:]

    def price(cash):
        moved = [r + cash for r in others]
        own = Fraction(k, prod(moved))
        return (1 / own) / (1 / own + sum(Fraction(1, r) for r in moved))

    p = price(0)
    up, down = min(p * 102 / 100, Fraction(99, 100)), max(p * 98 / 100, Fraction(1, 100))
    up_ce = 0 if p > up else largest(0, 10**19, lambda x: price(x) <= up)
    down_ce = 0 if p < down else largest(0, min(others) - 1, lambda x: price(-x) >= down)
    up_units = up_ce + R[o] - ceil_div(k, prod(r + up_ce for r in others))
    down_units = ceil_div(k, prod(r - down_ce for r in others)) - R[o] + down_ce
    return {
        "up_units": up_units, "up_ce": up_ce, "down_units": down_units, "down_ce": down_ce,
        "depth_2pct": min(up_units, down_units), "depth_2pct_ce": min(up_ce, down_ce),
    }


def spread(pool, x):
    _, _, shares, _ = pool.quote_buy(0, x)
    fee, a, _ = pool.quote_sell(0, shares)
    weights = [prod(pool.R[:i] + pool.R[i + 1:]) for i in range(pool.n)]
    proceeds = a - fee
    return {"ref_gross": x, "shares": shares, "proceeds": proceeds,
            "spread_ppm": ceil_div((x - proceeds) * sum(weights) * 10**6, shares * weights[0])}


def twap(quotes, t, w):
    """Millisecond by millisecond in spirit: cut the window at every quote and add up the pieces."""
    if not any(ts <= t for ts, _ in quotes):
        return None, 0
    value_at = lambda x: [p for ts, p in quotes if ts <= x][-1]
    start = max(t - w, quotes[0][0])
    cuts = sorted({start, t} | {ts for ts, _ in quotes if start < ts < t})
    area = sum(value_at(a) * (b - a) for a, b in zip(cuts, cuts[1:]))
    return (value_at(t), 0) if start >= t else (area // (t - start), t - start)


TICK, WINDOW, DAY = 30_000, 300_000, 86_400_000
NONE, WARN, SOFT, HARD = range(4)


class Halts:
    """D11 and D13 in their own words: flags and counters, a tick every 30 s. The numbers are the default rule set's."""

    def __init__(self):
        self.quotes, self.level, self.since, self.entries = [], NONE, 0, []
        self.n = self.outside = self.clean = 0
        self.breach = self.manual = False
        self.calm = True

    def run(self, quotes, t_end):
        log, waiting = [], list(quotes)
        for t in range(0, t_end + 1, TICK):
            while waiting and waiting[0][0] <= t:
                quote = waiting.pop(0)
                if self.level != HARD:
                    self.quotes.append(quote)
            before = self.level
            self.tick(t)
            if self.level != before:
                log.append({"t": t, "level": self.level})
        return log

    def integrals(self, start, end):
        """Of the price and of its square, or nothing where the window is not fully covered."""
        if not self.quotes or self.quotes[0][0] > start:
            return None
        c1 = c2 = 0
        for (ts, p), (until, _) in zip(self.quotes, self.quotes[1:] + [(end, 0)]):
            held = max(0, min(until, end) - max(ts, start))
            c1, c2 = c1 + p * held, c2 + p * p * held
        return c1, c2

    def tick(self, t):
        is_end, window = t % WINDOW == 0, self.integrals(t - WINDOW, t)
        if window is not None:
            p = self.quotes[-1][1]
            beyond = lambda bps: abs(p * WINDOW - window[0]) * 10_000 > bps * window[0]
            again, self.breach = self.breach, beyond(100) if is_end else self.breach
            self.calm = self.calm and not beyond(30)
            if is_end and self.level == SOFT:
                self.clean = 0 if beyond(80) else self.clean + 1
            band = self.third_outside(t, p)
            if is_end and self.breach and again or band:
                called = HARD
            elif is_end and self.breach:
                called = SOFT
            else:
                called = WARN if beyond(50) else NONE
            if called > self.level:
                self.enter(called, t)
            elif self.level == HARD and not self.manual and t >= self.since + WINDOW * 2 ** (self.n - 1) and not beyond(50):
                self.enter(SOFT, t)
            elif self.level == SOFT and is_end and self.clean >= 2 and t - self.since >= WINDOW:
                self.enter(WARN, t)
            elif self.level == WARN and is_end and self.calm:
                self.enter(NONE, t)
        if is_end:
            self.outside, self.calm = 0, True

    def third_outside(self, t, p):
        k = (t - 1) // WINDOW * WINDOW
        reference = self.integrals(k - WINDOW, k)
        if reference is None:
            return False
        c1, c2 = reference
        distance = abs(p * WINDOW - c1)
        if distance**2 * 10**9 > 6634896601 * (WINDOW * c2 - c1**2) and distance * 100 > c1:
            self.outside += 1
            return self.outside == 3
        return False

    def enter(self, level, t):
        if self.level == HARD:
            self.breach, self.outside = False, 0
        if level == HARD:
            self.entries.append(t)
            self.n = sum(entry > t - DAY for entry in self.entries)
            self.manual = self.n >= 5
        self.level, self.since, self.clean = level, t, 0


def rate(times, limit):
    accepted, results = [], []
    for t in times:
        full = sum(t - 60_000 < earlier <= t for earlier in accepted) >= limit
        results.append("max_trade_rate" if full else "accept")
        accepted += [] if full else [t]
    return results


def root(entries):
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return hashlib.sha256(b"\1" + root(entries[:split]) + root(entries[split:])).digest()


USERS = ["ana", "bob", "carl", "lia", "house"]


def random_pool(rnd, n):
    while True:
        try:
            return try_pool(rnd, n)
        except Refused:
            pass


def try_pool(rnd, n):
    given = {
        "n": n, "fee_ppm": rnd.choice([0, 1, 3000, 5000, 20000, 100000]),
        "amount": rnd.choice([rnd.randint(10**12, 10**15), rnd.randint(10**11, 10**13), rnd.randint(10**15, 10**16)]),
        "hint": [rnd.choice([1, 2, 3, 5, rnd.randint(1, 40), rnd.randint(1, 40)]) for _ in range(n)],
    }
    return given, Pool(n, given["fee_ppm"], given["amount"], given["hint"])


def random_op(rnd, pool):
    user = rnd.choice(USERS)
    verb = rnd.choice(["buy"] * 5 + ["sell"] * 4 + ["add"] * 2 + ["remove"] * 2)
    size = lambda top: rnd.choice([0, 1, 2, rnd.randint(0, 500), rnd.randint(1, max(1, top // 1000)), rnd.randint(1, max(1, top // 10)),
                                   rnd.randint(1, max(1, top * 2))])
    if verb == "buy":
        op = [verb, user, rnd.randrange(pool.n), size(max(pool.R))]
        return op + [rnd.randint(0, 2 * op[3])] if rnd.random() < 0.2 else op
    if verb == "sell":
        o = rnd.randrange(pool.n)
        held = pool.shares.get(user, [0] * pool.n)[o]
        op = [verb, user, o, rnd.choice([held, held + 1, held // 2, held // 7, size(held)])]
        return op + [rnd.randint(0, op[3])] if rnd.random() < 0.2 else op
    if verb == "add":
        return [verb, user, size(max(pool.R))]
    held = pool.lp.get(user, 0)
    # Removing nothing as one who never provided anything is left open by the rules.
    return [verb, user, max(0 if held else 1, rnd.choice([held, held + 1, held // 2, held // 3, size(held)]))]


def amm_case(rnd, n):
    given, pool = random_pool(rnd, n)
    given["ops"], steps = [], []
    for _ in range(rnd.randint(5, 20)):
        op = random_op(rnd, pool)
        given["ops"].append(op)
        steps.append(pool.apply(op))
    return given, pool, steps


def cases(rnd):
    for i in range(90):
        n = 2 if i < 50 else rnd.choice([3, 4, 5, 8])
        given, pool, steps = amm_case(rnd, n)
        yield f"amm-{i}", "amm" if n == 2 else "amm_categorical", given, {"steps": steps, "shares": pool.shares, "lp": pool.lp}
    for i in range(60):
        n = rnd.choice([2, 2, 3, 5])
        given, pool, _ = amm_case(rnd, n)
        cut = sorted(rnd.randint(0, E8) for _ in range(n - 1))
        vector = [b - a for a, b in zip([0] + cut, cut + [E8])]
        if i % 2:
            vector = [0] * n
            vector[rnd.randrange(n)] = E8
        given["vector"] = vector
        yield f"settlement-{i}", "settlement", given, pool.settle(vector)
    for i in range(40):
        lower = rnd.randint(-10**12, 10**12)
        upper = lower + rnd.randint(1, 10**12)
        value = rnd.choice([lower, upper, lower - 1, upper + 1, rnd.randint(lower, upper), rnd.randint(lower, upper)])
        yield f"scalar_vector-{i}", "scalar_vector", {"lower": lower, "upper": upper, "value": value}, {
            "vector": [E8 * (min(max(value, lower), upper) - lower) // (upper - lower),
                       E8 - E8 * (min(max(value, lower), upper) - lower) // (upper - lower)]}
    for i in range(60):
        n = 2 if i < 40 else rnd.choice([3, 5])
        R = [rnd.choice([rnd.randint(10**10, 10**12), rnd.randint(10**12, 10**15)]) for _ in range(n)]
        o = rnd.randrange(n)
        yield f"depth-{i}", "depth", {"R": R, "outcome": o}, depth(R, o)
    i = 0
    while i < 40:
        given, pool = random_pool(rnd, rnd.choice([2, 2, 2, 3]))
        given["ref_gross"] = rnd.choice([10**10, rnd.randint(10, 10**6), rnd.randint(10**8, 10**11)])
        try:
            yield f"spread-{i}", "spread", given, spread(pool, given["ref_gross"])
            i += 1
        except Refused:
            pass
    for i in range(60):
        t, quotes = rnd.choice([0, rnd.randint(0, 10**6)]), []
        for _ in range(rnd.randint(1, 60)):
            quotes.append([t, rnd.randint(0, E8)])
            t += rnd.choice([0, 1, 17, 900, 30000, rnd.randint(0, 120000)])
        rows = []
        for _ in range(12):
            at = rnd.choice([rnd.randint(0, t + 10**6), rnd.choice(quotes)[0], rnd.randint(0, t) // 30000 * 30000])
            w = rnd.choice([1, 1000, 60000, 300000, 900000])
            value, covered = twap(quotes, at, w)
            rows.append({"t": at, "w": w, "twap_e8": value, "covered_ms": covered})
        yield f"twap-{i}", "twap", {"quotes": quotes}, {"rows": rows}
    for i in range(40):
        entries = ["".join(rnd.choice("0123456789abcdefçã\u20ac") for _ in range(rnd.randint(0, 40))) for _ in range(i)]
        yield f"rfc6962-{i}", "rfc6962", {"entries_utf8": entries}, {"root_hex": root([e.encode() for e in entries]).hex()}


def random_quotes(rnd):
    t, p, quotes = rnd.choice([0, 0, 0, rnd.randint(0, 400_000), rnd.choice([30_000, 299_999, 300_000, 300_001])]), rnd.randint(10**6, 97 * 10**6), []
    first = p
    for _ in range(rnd.randint(3, 40)):
        quotes.append([t, min(max(p, 0), E8)])
        p = rnd.choice([p, first, p + rnd.randint(-1, 1), int(p * (1 + rnd.uniform(-0.006, 0.006))), first * rnd.choice([101, 99]) // 100 + rnd.randint(-1, 1),
                        p * rnd.choice([1003, 1005, 1008, 1010, 1011, 1020, 1100, 995, 992, 990, 989, 980, 900]) // 1000])
        t = max(t, rnd.choice([
            t + rnd.choice([0, 1, 1000, TICK, 2 * TICK, 3 * TICK]), t + rnd.randint(0, 60_000), t + rnd.choice([1, 2, 3, 10]) * WINDOW,
            (t // TICK + rnd.choice([1, 2, 10])) * TICK + rnd.choice([0, 0, 1, -1]),
            (t // WINDOW + rnd.choice([1, 2])) * WINDOW + rnd.choice([0, 0, 1, -1, TICK, -TICK, -2 * TICK])]))
    return quotes, t + rnd.choice([0, 2 * WINDOW, rnd.randint(0, 40 * WINDOW)])


def daily_spikes(rnd):
    """Enough freezes for one to be held, some just within 24 hours of the first and some just after."""
    t, p, quotes = 0, 50_000_000, [[0, 50_000_000]]
    while t < 2 * DAY:
        t = (t + rnd.choice([4, 10, 40, DAY // WINDOW // 4]) * WINDOW) // WINDOW * WINDOW + rnd.choice([0, TICK, 12_345])
        p = p * rnd.choice([102, 98, 103, 97]) // 100
        quotes.append([t, p])
    return quotes, t + DAY // 4


def halt_cases(rnd):
    for i in range(60):
        quotes, t_end = daily_spikes(rnd) if i % 10 == 0 else random_quotes(rnd)
        yield f"halts-{i}", "halts", {"quotes": quotes, "t_end": t_end}, {"log": Halts().run(quotes, t_end)}
    for i in range(40):
        t, times = 0, []
        for _ in range(rnd.randint(1, 40)):
            times.append(t)
            t += rnd.choice([0, 0, 1, 999, 5_000, 59_999, 60_000, 60_001, rnd.randint(0, 20_000)])
        limit = rnd.randint(1, 8)
        yield f"rate-{i}", "rate", {"times_ms": times, "limit": limit}, {"results": rate(times, limit)}


def text(value):
    """Whole numbers are decimal strings in the conformance format."""
    if isinstance(value, dict):
        return {k: text(v) for k, v in value.items()}
    if isinstance(value, list):
        return [text(v) for v in value]
    return str(value) if isinstance(value, int) else value


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20250910
    made = []
    for identity, kind, given, expect in [*cases(random.Random(seed)), *halt_cases(random.Random(seed))]:
        made.append({"id": identity, "kind": kind, "given": text(given), "expect": text(expect)})
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write('{"version":1,"cases":[\n')
        out.write(",\n".join(json.dumps(case, separators=(",", ":"), ensure_ascii=False) for case in made))
        out.write("\n]}\n")


if __name__ == "__main__":
    main()
